"""Why a sysctl loader would exit with a failure: what a hook's ``&&`` and modprobe get to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.snapshot.sysctl_config import Loader, reading, settings
from ipvs_audit.snapshot.sysctl_key import is_glob, resolved

if TYPE_CHECKING:
    from ipvs_audit.persistence.subject import Subject
    from ipvs_audit.snapshot.config_files import ConfigFile, Line
    from ipvs_audit.snapshot.sysctl_config import Setting

_REFUSALS_FAIL = (4, 0, 0)  # before, procps says so and exits 0


def failures(subject: Subject, loader: Loader, *, key_exists: bool) -> tuple[str, ...]:
    """Each reason why the loader exits with a failure; empty where none is known.

    What other keys accept is not known: a value that their kernel refuses stays unseen.
    """
    read = reading(subject.tree, loader)
    found = [f"{path} does not exist" for path in read.missing]
    for file in read.files:
        if not file.real and loader.program == "procps":
            found.append(f"{file.path} is a link to nothing")
        for line in file.lines or ():
            if loader.program == "systemd":
                why = _systemd(subject, loader, file, line, key_exists=key_exists)
            else:
                why = _procps(subject, loader, file, line, key_exists=key_exists)
            if why:
                found.append(f"{file.path}:{line.number} {why}")
    return tuple(found)


def _procps(
    subject: Subject, loader: Loader, file: ConfigFile, line: Line, *, key_exists: bool
) -> str:
    for setting in settings(file, line, loader):
        if setting.value is None or (is_glob(setting.path) and loader.globs):
            continue
        if resolved(setting.path) == subject.key.path:
            if not key_exists:
                missing = True
            elif subject.key.stores(setting.value) is None and _refusals_fail(loader):
                return f"sets {setting.value!r}, which the kernel refuses"
            else:
                missing = False
        else:
            missing = not _exists(subject, setting)
        if missing and not loader.forgiving:
            return f"sets {setting.spelled}, which this kernel does not have"
    return ""


def _refusals_fail(loader: Loader) -> bool:
    return loader.program == "procps" and (not loader.version or loader.version >= _REFUSALS_FAIL)


def _exists(subject: Subject, setting: Setting) -> bool:
    """Whether another key exists; taken to where the probe did not look."""
    known = subject.tree.keys.get(setting.spelled)
    if known is None:
        misspelled = setting.path.strip(" -/").replace(".", "/").replace("//", "/")
        return misspelled != subject.key.path
    return known


def _systemd(
    subject: Subject, loader: Loader, file: ConfigFile, line: Line, *, key_exists: bool
) -> str:
    if "=" not in line.text and not line.text.strip().startswith(("-", "#", ";")):
        return "is no assignment"
    for setting in settings(file, line, loader):
        if (
            setting.value is not None
            and not setting.lenient
            and key_exists
            and setting.path == subject.key.path
            and subject.key.stores(setting.value) is None
        ):
            return f"sets {setting.value!r}, which the kernel refuses"
    return ""
