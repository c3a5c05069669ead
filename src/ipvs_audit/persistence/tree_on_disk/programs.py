"""The programs of a file tree on disk that hooks name, where there is no probe to tell of them."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from ipvs_audit.persistence.tree_on_disk.modules import read_modules, read_softdep, unresolvable
from ipvs_audit.persistence.tree_on_disk.root import Root, UnreadableError
from ipvs_audit.snapshot.programs import KERNEL_PATH, LOCAL_PATH, AtPath, Programs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ipvs_audit.snapshot.config_files import ConfigTree
    from ipvs_audit.snapshot.host import Loaders

#: What every distribution has, by where it is with /usr merged.
_IN_SBIN = {"modprobe": "modprobe", "insmod": "modprobe", "rmmod": "modprobe", "sysctl": "sysctl"}
_IN_BIN = (
    "[", "bash", "cat", "chmod", "chown", "date", "echo", "egrep", "env", "false", "grep", "id",
    "logger", "ls", "mkdir", "nice", "nohup", "printf", "sh", "sleep", "stat", "sync", "systemctl",
    "tee", "test", "timeout", "touch", "true", "udevadm", "uname",
)  # fmt: skip
_SYSTEMD_SYSCTL = ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")
#: Modules that ip_vs itself needs.
_NEEDED = ("nf_conntrack", "nf_defrag_ipv4", "nf_defrag_ipv6")
_HELPER = "/sbin/modprobe"
_SHELLS = ("dash", "bash", "busybox", "ksh", "mksh", "yash", "zsh", "toybox")
#: What /bin/sh is where a distribution is known; else one of the usual ones, not busybox's.
_SHELL_OF = {"debian": "dash", "ubuntu": "dash", "alpine": "busybox"}
_WORD = re.compile(r"[^\s;&|<>(){}\"'`$=,]+")
_PROGRAM = AtPath("program", writable=True)
_ASSUMED_HELPER = f"the kernel loads modules through {_HELPER}"
_ASSUMED_PROGRAMS = (
    "modprobe, sysctl and the usual commands are in /sbin, /usr/sbin, /bin and /usr/bin (this tree "
    "holds no programs)"
)


def standard_programs(os_id: str = "") -> Programs:
    """What a usual host has, with /usr merged; nothing is said to be missing."""
    paths = {
        f"{top}/{name}": AtPath("program", writable=True, same=same)
        for name, same in _IN_SBIN.items()
        for top in ("/sbin", "/usr/sbin")
    }
    paths |= {f"{top}/{name}": _PROGRAM for name in _IN_BIN for top in ("/bin", "/usr/bin")}
    paths |= dict.fromkeys(_SYSTEMD_SYSCTL, _PROGRAM)
    return Programs(
        paths=paths,
        names=frozenset((*_IN_SBIN, *_IN_BIN)),
        modules=dict.fromkeys(_NEEDED, True),
        shell=_SHELL_OF.get(os_id, "usual"),
        helper=_HELPER,
        assumptions=(_ASSUMED_PROGRAMS, _ASSUMED_HELPER),
    )


def read_programs(top: Path, tree: ConfigTree, loaders: Loaders) -> Programs:
    """What stands in a tree at the paths that its hooks and udev rules name.

    A tree without programs, such as a copy of /etc, is taken to be a usual host's.
    """
    root = Root(top)
    words = {word for text in _commands(tree) for word in _WORD.findall(text.replace("\\", ""))}
    bare = not (root.exists("/bin/sh") or root.exists("/usr/bin/sh"))
    if bare:
        usual = standard_programs(loaders.os_id)
        found = {word: at for word in words if (at := _shown(root, word, loaders)) is not None}
        paths = {**usual.paths, **{path: at for path, at in found.items() if at.exists}}
        return Programs(
            paths, usual.names, usual.modules, shell=usual.shell, helper=usual.helper,
            assumptions=usual.assumptions,
        )  # fmt: skip
    asked = {_HELPER, *words}
    asked |= {f"{top}/{word}" for word in words for top in (*KERNEL_PATH, *LOCAL_PATH)}
    shown = {path: at for path in asked if (at := _shown(root, path, loaders)) is not None}
    shell = root.real("/bin/sh").rpartition("/")[2]
    soft = {word for text in _softdeps(top, tree) for word in text.split() if ":" not in word}
    return Programs(
        paths=shown,
        names=frozenset(word for word in words if "/" not in word),
        modules=read_modules(root, words | soft),
        unresolvable=unresolvable(root, soft),
        shell=shell if shell in _SHELLS else "",
        helper=_HELPER,
        assumptions=(_ASSUMED_HELPER,),
    )


def _commands(tree: ConfigTree) -> Iterable[str]:
    for path, file in tree.files.items():
        if "/modprobe.d/" in path or "/rules.d/" in path:
            yield from (line.text for line in file.lines or ())


def _softdeps(top: Path, tree: ConfigTree) -> Iterable[str]:
    yield read_softdep(top)
    yield from (text for text in _commands(tree) if text.lstrip().startswith("softdep"))


def _shown(root: Root, path: str, loaders: Loaders) -> AtPath | None:
    """What stands at a path of the tree; None for what is no path, or no part of a tree."""
    if not path.startswith("/") or path.startswith(("/proc/", "/sys/", "/dev/", "/run/")):
        return None
    real = root.real(path)
    with suppress(UnreadableError, ValueError):
        if real:
            about = root.stat(real)
            state = "program" if stat.S_IMODE(about.st_mode) & 0o111 else "file"
            return AtPath(state, writable=True, same=_same(root, real, loaders))  # type: ignore[arg-type]
    if real and os.path.isdir(f"{root.top}{real}"):  # noqa: PTH112  # an absolute path below it
        return AtPath("directory")
    if real:
        return AtPath("special")
    folder = root.real(path.rpartition("/")[0] or "/")
    return AtPath("absent", writable=True) if folder else AtPath("nowhere")


def _same(root: Root, real: str, loaders: Loaders) -> str:
    own = {"sysctl": loaders.sysctl_path, "modprobe": loaders.modprobe}
    own |= {"busybox": "/bin/busybox", "toybox": "/bin/toybox"}
    return next((name for name, path in own.items() if path and root.real(path) == real), "")
