"""Why a sysctl loader would exit with a failure: what a hook's ``&&`` and modprobe see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.config_paths import SYSCTL_CONF
from ipvs_audit.snapshot.sysctl_config import (
    Setting,
    candidate_lines,
    is_selected,
    loader_files,
    pieces,
    settings,
)
from ipvs_audit.snapshot.sysctl_key import is_glob, loader_path, resolved

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.config_files import ConfigFile, Line
    from ipvs_audit.snapshot.sysctl_loader import Loader

_REFUSALS_FAIL = (4, 0, 0)  # before, procps reports it and exits 0
_LONGEST_NAME = 255
#: Keys that come with a module, which may not be loaded.
_OF_MODULES = re.compile(
    r"net/(bridge|netfilter|mptcp|rds|sctp|nf_conntrack_max|ipv4/(vs|netfilter))(/|$)|sunrpc/|fs/nfs/"
)
#: Of these, keys that come with ip_vs or with nf_conntrack, which ip_vs needs.
_COMES_WITH_IP_VS = re.compile(r"net/(netfilter|nf_conntrack_max|ipv4/(vs|netfilter))(/|$)")
#: What stands in /proc/sys, on one kernel or another.
_FOLDERS = frozenset(
    ("abi", "crypto", "debug", "dev", "fs", "kernel", "net", "sunrpc", "user", "vm", "xen")
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NO_KEY = re.compile(r"^-|[\s\x00-\x1f]")


def failure_reasons(config: HostConfig, loader: Loader, *, key_exists: bool) -> tuple[str, ...]:
    """Each reason why the loader exits with a failure; empty where none is known.

    What other keys accept is not known: a value that the kernel refuses there stays unseen. Of a
    program whose build is not known, the reasons of the one that has any.
    """
    found = [_reasons(config, build, key_exists=key_exists) for build in loader.builds]
    return next(filter(None, found), ())


def _reasons(config: HostConfig, loader: Loader, *, key_exists: bool) -> tuple[str, ...]:
    read = loader_files(config.tree, loader)
    found = [f"{path} does not exist" for path in read.missing]
    if loader.needs_sysctl_conf and SYSCTL_CONF not in config.tree.files:
        found.append(f"{SYSCTL_CONF} does not exist")
    systemd: dict[str, str] = {}
    for file in read.files:
        if not file.real and loader.program == "procps":
            found.append(f"{file.path} is a link to nothing")
        for line in file.lines or ():
            if loader.program == "systemd":
                why = _not_an_assignment(line, loader)
                for setting in settings(file, line, loader):
                    wrong = _not_writable(config, loader, setting)
                    systemd[setting.path] = wrong and f"{setting.where} {wrong}"
            else:
                why = _missing_key(config, loader, file, line, key_exists=key_exists)
            if why:
                found.append(f"{file.path}:{line.number} {why}")
    found += filter(None, systemd.values())
    if key_exists and (loader.program == "systemd" or refusals_fail(loader)):
        found += [
            f"{entry.where} sets {entry.setting.value!r}, which the kernel rejects"
            for entry in config.resolve(loader).assignments
            if entry.refused and not entry.setting.ignores_errors
        ]
    return tuple(found)


def exit_status_unknown(config: HostConfig, loader: Loader, *, key_exists: bool) -> bool:
    """Whether the loader may fail or not.

    A pattern reaches keys of many kinds, some of which may refuse the value; or only some builds
    of this version fail.
    """
    reasons = [_reasons(config, build, key_exists=key_exists) for build in loader.builds]
    if loader.program == "busybox":
        # What it finds wrong it reports, and exits 0 in some versions.
        return any(reasons) or any(one.refused for one in config.resolve(loader).assignments)
    if any(
        _is_unclear(config, loader, line, last=line is file.lines[-1])
        for file in loader_files(config.tree, loader).files
        if file.lines
        for line in file.lines
    ):
        return True
    if not any(reasons):
        builds = loader.builds
        return any(_pattern_may_fail(config, build) or _untold(config, build) for build in builds)
    return not all(reasons)


def _is_unclear(config: HostConfig, loader: Loader, line: Line, *, last: bool) -> bool:
    """Whether a line may fail for what the evidence does not tell.

    procps 4 passes over a lone ``=`` where the file ends without a newline. A name without ``=``,
    or with control characters, is not asked for on the host.
    """
    text = line.text.strip()
    if loader.program != "procps" or text[:1] in ("#", ";"):
        return False
    if refusals_fail(loader) and text == "=" and last:
        return True
    if named := _without_equals("", line, loader):
        ours = resolved(named.path) == config.key.path or _is_folder(config, named.path)
        return not (ours or loader.ignores_unknown_keys) and _exists(config, named)
    name, equals, _ = line.text.partition("=")
    return bool(equals and _CONTROL.search(name) and config.key.needle not in name)


def _pattern_may_fail(config: HostConfig, loader: Loader) -> bool:
    return loader.globs and any(
        setting.value is not None and is_glob(setting.path.rpartition("/")[2])
        for file in loader_files(config.tree, loader).files
        for line in candidate_lines(file, config.key)
        for setting in settings(file, line, loader)
    )


def _untold(config: HostConfig, loader: Loader) -> bool:
    """Whether a line sets a key of a module, of which it is not known whether it is there."""
    if loader.program == "systemd" or loader.ignores_unknown_keys:
        return False
    return any(
        _OF_MODULES.match(setting.path) is not None
        and _told(config, setting) is None
        and setting.value is not None
        and resolved(setting.path) != config.key.path
        for file in loader_files(config.tree, loader).files
        for line in file.lines or ()
        for setting in settings(file, line, loader)
    )


def refusals_fail(loader: Loader) -> bool:
    """Whether sysctl fails where the kernel refuses a value: procps 4 does."""
    return loader.program == "procps" and (not loader.version or loader.version >= _REFUSALS_FAIL)


def _not_an_assignment(line: Line, loader: Loader) -> str:
    for piece in pieces(line.text, loader):
        text = piece.strip()
        excused = not text or "=" in text or text.startswith(("#", ";"))
        if not excused and not (text.startswith("-") and loader.globs):
            return "is not an assignment"
    return ""


def _without_equals(file: str, line: Line, loader: Loader) -> Setting | None:
    """What procps 3.3.15 to 3.3.17 takes a line without ``=`` for: the key that it names.

    It writes ``=`` there, which no number takes; a line that starts with a blank it passes over.
    """
    text = line.text.rstrip(" \t\r\n")
    if not loader.rejects_garbage or "=" in text or text[:1] in ("#", ";", " ", "\t"):
        return None
    if len(text) < 2:  # noqa: PLR2004  # procps' own shortest line
        return None
    name = text.removeprefix("-") if loader.takes_dash else text
    path = loader_path(name)
    return Setting(name, path, "=", ignores_errors=False, file=file, line=line.number, text=text)


def _not_writable(config: HostConfig, loader: Loader, setting: Setting) -> str:
    """Why systemd-sysctl cannot write to a path; one that is merely missing is no failure."""
    path = setting.path
    if setting.value is None or setting.ignores_errors or not is_selected(loader, path):
        return ""
    if not path:
        return "names no key"
    if ".." in path.split("/") and not loader.follows_dots:
        return f"sets {setting.spelled}, which systemd-sysctl refuses"
    if _is_folder(config, path):
        return f"sets {setting.spelled}, which is a directory"
    below = path.endswith("/") and resolved(path.rstrip("/")) == config.key.path
    if not loader.simplifies_keys and (below or _too_long(path)):
        return f"sets {setting.spelled[:40]}, which is no file name"
    return ""


def _is_folder(config: HostConfig, path: str) -> bool:
    """Whether a path names a directory that the key is in; procps passes over it in silence."""
    folder = resolved(path.rstrip("/"))
    return bool(folder) and config.key.path.startswith(f"{folder}/")


def _too_long(path: str) -> bool:
    return any(len(part) > _LONGEST_NAME for part in path.split("/"))


def _missing_key(
    config: HostConfig, loader: Loader, file: ConfigFile, line: Line, *, key_exists: bool
) -> str:
    if refusals_fail(loader) and line.text.lstrip()[:1] == "=":
        return "names no key"
    if loader.ignores_unknown_keys:
        return ""
    named = _without_equals(file.path, line, loader)
    for setting in (named,) if named else settings(file, line, loader):
        if setting.value is None or (is_glob(setting.path) and loader.globs):
            continue
        ours = resolved(setting.path) == config.key.path or _is_folder(config, setting.path)
        early = not key_exists and comes_with_ip_vs(config, setting.path)
        if early or not (key_exists if ours else _exists(config, setting)):
            does = "names" if named else "sets"
            return f"{does} {setting.spelled[:60]}, which this kernel does not have"
    return ""


def comes_with_ip_vs(config: HostConfig, path: str) -> bool:
    """Whether a path is one of ip_vs's keys, which all come and go with the key in question."""
    below = resolved(path).startswith("net/ipv4/vs/")
    return below and config.needs_module and config.has_switch is not False


def _told(config: HostConfig, setting: Setting) -> bool | None:
    """Whether a key was there; None where the probe did not look, or looked before ip_vs came."""
    known = config.tree.keys.get(setting.spelled)
    came_too_early = config.module == "available" and not known
    return None if came_too_early and _COMES_WITH_IP_VS.match(setting.path) else known


def _exists(config: HostConfig, setting: Setting) -> bool:
    """Whether another key exists; taken to where the probe did not look."""
    known = _told(config, setting)
    if setting.path.lstrip("/").startswith(("proc/", "sys/")):
        return False  # every path is one below /proc/sys
    if is_glob(setting.path) or _too_long(setting.path) or _NO_KEY.search(setting.path):
        return False  # no file of that very name
    if known is None:
        top = setting.path.strip("/").partition("/")[0]
        if top and top not in _FOLDERS:
            return False
        misspelled = setting.path.strip(" -/!").replace(".", "/").replace("//", "/")
        return misspelled != config.key.path
    return known
