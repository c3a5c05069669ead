"""Why a sysctl loader would exit with a failure: what a hook's ``&&`` and modprobe see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.snapshot.sysctl_config import Loader, candidate_lines, loader_files, settings
from ipvs_audit.snapshot.sysctl_key import is_glob, resolved

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.config_files import ConfigFile, Line
    from ipvs_audit.snapshot.sysctl_config import Setting

_REFUSALS_FAIL = (4, 0, 0)  # before, procps reports it and exits 0


def failure_reasons(config: HostConfig, loader: Loader, *, key_exists: bool) -> tuple[str, ...]:
    """Each reason why the loader exits with a failure; empty where none is known.

    What other keys accept is not known: a value that the kernel refuses there stays unseen.
    """
    read = loader_files(config.tree, loader)
    found = [f"{path} does not exist" for path in read.missing]
    for file in read.files:
        if not file.real and loader.program == "procps":
            found.append(f"{file.path} is a link to nothing")
        for line in file.lines or ():
            if loader.program == "systemd":
                why = _not_an_assignment(line)
            else:
                why = _missing_key(config, loader, file, line, key_exists=key_exists)
            if why:
                found.append(f"{file.path}:{line.number} {why}")
    if key_exists and (loader.program == "systemd" or _refusals_fail(loader)):
        found += [
            f"{entry.where} sets {entry.setting.value!r}, which the kernel rejects"
            for entry in config.resolve(loader).assignments
            if entry.refused and not entry.setting.ignores_errors
        ]
    return tuple(found)


def may_fail(config: HostConfig, loader: Loader) -> bool:
    """Whether a pattern reaches keys of many kinds, some of which may refuse the value."""
    return loader.globs and any(
        setting.value is not None and is_glob(setting.path.rpartition("/")[2])
        for file in loader_files(config.tree, loader).files
        for line in candidate_lines(file, config.key)
        for setting in settings(file, line, loader)
    )


def _refusals_fail(loader: Loader) -> bool:
    return loader.program == "procps" and (not loader.version or loader.version >= _REFUSALS_FAIL)


def _not_an_assignment(line: Line) -> str:
    text = line.text.strip()
    if not text or "=" in text or text.startswith(("-", "#", ";")):
        return ""
    return "is not an assignment"


def _missing_key(
    config: HostConfig, loader: Loader, file: ConfigFile, line: Line, *, key_exists: bool
) -> str:
    if loader.ignores_unknown_keys:
        return ""
    for setting in settings(file, line, loader):
        if setting.value is None or (is_glob(setting.path) and loader.globs):
            continue
        ours = resolved(setting.path) == config.key.path
        if not (key_exists if ours else _exists(config, setting)):
            return f"sets {setting.spelled}, which this kernel does not have"
    return ""


def _exists(config: HostConfig, setting: Setting) -> bool:
    """Whether another key exists; taken to where the probe did not look."""
    known = config.tree.keys.get(setting.spelled)
    if is_glob(setting.path):
        return False  # no file of that very name
    if known is None:
        misspelled = setting.path.strip(" -/").replace(".", "/").replace("//", "/")
        return misspelled != config.key.path
    return known
