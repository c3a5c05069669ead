"""The files that sysctl, modprobe, udev and systemd's module loader read, as the probe saw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, without its end. Continued lines are joined, under the first one's number."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file at the path where a loader finds it.

    Attributes:
        path: e.g. ``/etc/sysctl.d/99-sysctl.conf``; the name decides order and masking.
        real: the path after all symlinks; ``/dev/null`` masks; empty for a dangling link.
        uid, gid: numeric owner of the real file.
        mode: permission bits of the real file, e.g. ``0o644``.
        size: bytes.
        sha256: of the whole content; empty where not read.
        lines: the lines that matter, in order: of sysctl files all that are neither blank nor
            comment; of modprobe, udev and modules-load files those that concern ip_vs or sysctl.
            None where the file could not be read.
    """

    path: str
    real: str
    uid: int
    gid: int
    mode: int
    size: int
    sha256: str
    lines: tuple[Line, ...] | None

    @property
    def masks(self) -> bool:
        """Whether this entry exists to hide files of the same name in later directories."""
        return self.real == "/dev/null"


@dataclass(frozen=True, slots=True)
class ConfigTree:
    """All configuration that decides whether the value persists.

    Attributes:
        files: by path.
        keys: for the other keys that sysctl lines set, whether ``/proc/sys`` has them now
            (dotted or slashed spelling as written in the file -> exists); globs are left out.
        cmdline: the words of ``/proc/cmdline`` that concern modules or sysctl.
        unreadable: directories and files that could not be read, with the reason.
    """

    files: Mapping[str, ConfigFile] = field(default_factory=dict)
    keys: Mapping[str, bool] = field(default_factory=dict)
    cmdline: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    def under(self, *directories: str) -> tuple[ConfigFile, ...]:
        """The files directly in these directories, in the order given, then by name."""
        return tuple(
            self.files[path]
            for directory in directories
            for path in sorted(self.files)
            if path.rpartition("/")[0] == directory
        )
