"""Where each loader looks for its configuration: every directory and file, in one place.

The probe's scripts (``probe/config.sh``) list the same ones; a test compares them.

>>> SYSCTL.directories[0], SYSCTL.endings
('/etc/sysctl.d', ('.conf',))
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

#: The first directory hides files of the same name in later ones.
TOPS = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")

SYSCTL_CONF = "/etc/sysctl.conf"

#: What a file that no loader reads must hold to be worth a note.
CONCERNS_IP_VS = re.compile(rb"ip[_-]vs|run_estimation")


@dataclass(frozen=True, slots=True)
class ConfigPaths:
    """The files that one kind of loader reads.

    Attributes:
        section: the probe's section that holds them.
        folder: e.g. ``sysctl.d``, below each of :data:`TOPS`.
        endings: how file names must end to be read.
        misspelt: patterns of directory names in ``/etc`` that are easily typed instead.
    """

    section: str
    folder: str
    endings: tuple[str, ...]
    misspelt: tuple[str, ...] = ()

    @property
    def directories(self) -> tuple[str, ...]:
        """All directories, the first hiding files of the same name in later ones."""
        return tuple(f"{top}/{self.folder}" for top in TOPS)

    def is_misspelt(self, name: str) -> bool:
        """Whether a directory name in ``/etc`` looks like this folder's and is not.

        >>> MODPROBE.is_misspelt("modeprobd.d"), MODPROBE.is_misspelt("modprobe.d")
        (True, False)
        """
        return name != self.folder and any(fnmatchcase(name, each) for each in self.misspelt)


SYSCTL = ConfigPaths("sysctl", "sysctl.d", (".conf",), ("*sysctl*", "sy*c*t*.d", "sy*c*l*.d"))
MODPROBE = ConfigPaths("modprobe", "modprobe.d", (".conf", ".alias"), ("*modprobe*", "mo*pro*"))
UDEV = ConfigPaths("udev", "udev/rules.d", (".rules",))
MODULES_LOAD = ConfigPaths("modules-load", "modules-load.d", (".conf",))

ALL = (SYSCTL, MODPROBE, UDEV, MODULES_LOAD)

#: Files outside those directories whose text the paths tell to be configuration of these loaders.
CONFIGURATION = ("/sysctl.", "/modprobe.", "/modules-load.", "/rules.d/")


def first_unreadable(kind: ConfigPaths, unreadable: tuple[str, ...]) -> str:
    """The first directory or file of a kind that could not be read, with the reason; or empty.

    >>> first_unreadable(SYSCTL, ("/etc/modprobe.d: denied", "/etc/sysctl.d: denied"))
    '/etc/sysctl.d: denied'
    """
    return next((each for each in unreadable if kind.folder in each.partition(":")[0]), "")


def why_ignored(path: str) -> str:
    """Why no loader reads a file that looks like configuration.

    >>> why_ignored("/etc/sysctl.d/ipvs.cnf")
    'its name does not end in .conf'
    >>> why_ignored("/etc/modeprobd.d/ipvs.conf")
    'no program reads /etc/modeprobd.d'
    """
    directory = path.rpartition("/")[0]
    if any(directory in kind.directories for kind in ALL):
        return "its name does not end in .conf"
    return f"no program reads {directory}"
