"""What the next boot will find: which kernel, whether its ip_vs has the key, whether /etc is kept.

An update may have replaced the running kernel. Which one boots is told as far as files tell it:
GRUB 2's menu with its environment, entries of the Boot Loader Specification, systemd-boot. zipl,
U-Boot, a kernel that the firmware starts itself, and a boot from the network are not told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ipvs_audit.snapshot.boot_choice import BootLoader, Choice, choices
from ipvs_audit.snapshot.boot_menu import Entry, UnknownChoiceError, told_words
from ipvs_audit.snapshot.section import read_once

if TYPE_CHECKING:
    from ipvs_audit.snapshot.section import Section

_RELEASE = re.compile(r"[!-.0-~]{1,128}")
_BELOW = r"/(?:etc|lib|usr/lib|usr/local/lib)/(?:sysctl|modprobe|modules-load|udev|systemd)[!-~]*"
_MOUNT = re.compile(rf"(/|/etc|{_BELOW}) ([!-~]{{1,64}}) (ro|rw)(?: upper=([!-~]{{1,64}}))?")
_WHOLE = ("/etc", "/")
_IN_MEMORY = ("tmpfs", "ramfs", "rootfs")


@dataclass(frozen=True, slots=True)
class BootKernel:
    """A kernel that may boot next.

    Attributes:
        release: as ``uname -r`` will give it.
        why: what names it, e.g. ``the default entry of /boot/grub/grub.cfg``.
        words: those words of its command line that concern modules or sysctl; None where they
            cannot be told.
        running: whether it is the one that runs: what follows is not filled in then.
        module: what it has of ip_vs; ``unknown`` where nothing of it was looked at.
        file: ip_vs's file, or None.
        knows_switch: whether that file holds the key's name; None where it was not read.
        softdep: what its modules.softdep says of ip_vs, in the form of
            :class:`~ipvs_audit.snapshot.kernel.Module`.
    """

    release: str
    why: str
    words: tuple[str, ...] | None = None
    running: bool = False
    module: Literal["available", "builtin", "absent", "unknown"] = "unknown"
    file: str | None = None
    knows_switch: bool | None = None
    softdep: str = ""

    @property
    def lacks_key(self) -> bool:
        """Whether it has ip_vs without the key."""
        return self.module in ("available", "builtin") and self.knows_switch is False

    @property
    def doubt(self) -> str:
        """Why it is not known whether it has the key; empty where it is, or where it runs now."""
        if self.running or self.module == "absent" or self.knows_switch is not None:
            return ""
        return f"{self}, and whether its ip_vs has the key could not be read"

    def __str__(self) -> str:
        return f"kernel {self.release} boots next ({self.why})"


@dataclass(frozen=True, slots=True)
class NextBoot:
    """What the next boot will find.

    Attributes:
        kernels: the one that boots next; after a one-shot entry also the one that boots then; empty
            where this cannot be told.
        untold: why it cannot be told; empty where it can.
        kexec: what is known of a kernel that waits for kexec, a doubt; empty for none.
        volatile: why files under /etc may not be there after a boot; empty where they are.
        read_only: what is mounted read-only of ``/etc`` and ``/``; empty for neither.
        points: where file systems are mounted beside ``/``; None where not seen, ``/`` where
            there are more than the probe brings.
        initramfs: files and lines that make the initramfs load ip_vs, e.g.
            ``/etc/initramfs-tools/modules:12``.
        dracut: whether dracut makes the initramfs: it takes over what modules-load.d names.
        modules_gone: whether /lib/modules holds kernels, and not the running one.
        assumed: what is taken for granted instead, for a tree on disk; empty for a host.
    """

    kernels: tuple[BootKernel, ...]
    untold: str = ""
    kexec: str = ""
    volatile: str = ""
    read_only: str = ""
    points: tuple[str, ...] | None = None
    initramfs: tuple[str, ...] = ()
    dracut: bool = False
    modules_gone: bool = False
    assumed: str = ""

    @property
    def others(self) -> tuple[BootKernel, ...]:
        """Kernels that boot next and do not run now."""
        return tuple(one for one in self.kernels if not one.running)

    @property
    def brings_ip_vs(self) -> bool:
        """Whether a kernel that boots next, and does not run now, has an ip_vs."""
        return any(one.module in ("available", "builtin") for one in self.others)

    @property
    def in_the_way(self) -> str:
        """What no change of files under /etc can mend; empty for nothing."""
        lacking = next((_described(one) for one in self.others if one.lacks_key or one.doubt), "")
        return lacking or self.volatile or self.kexec

    @property
    def have_key(self) -> bool:
        """Whether each kernel that boots next, and does not run now, is seen to have the key."""
        return all(one.knows_switch for one in self.others)

    @property
    def summary(self) -> str:
        """Which kernel boots next, in one sentence without a full stop."""
        if self.untold:
            why = f"which kernel boots next cannot be told ({self.untold})"
            return f"{why}: this speaks of the running one"
        if not self.kernels:
            return self.assumed
        if not self.others:
            return f"the running kernel boots next ({self.kernels[0].why})"
        return "; ".join(map(_described, self.others))


def _described(kernel: BootKernel) -> str:
    if kernel.doubt:
        return kernel.doubt
    if kernel.module == "absent":
        return f"{kernel}: it has no ip_vs"
    holds = "does not hold" if kernel.lacks_key else "holds"
    return f"{kernel}: {kernel.file} {holds} the key's name"


@read_once
def parse_next_boot(section: Section, running: str) -> NextBoot:
    """What the next boot will find.

    Args:
        section: ``next-boot``, as the probe brings it.
        running: the running kernel's release.

    Raises:
        GarbledEvidenceError: the section is not whole, or a line is not of its form.
    """
    read = _Reader(section)
    for line in section.whole_lines():
        read.line(line)
    untold, chosen = "", tuple[Choice, ...]()
    try:
        chosen = choices(read.files, running)
    except UnknownChoiceError as unknown:
        untold = str(unknown)
    kexec = (
        "a kernel is loaded for kexec (/sys/kernel/kexec_loaded is 1): a reboot by kexec boots it, "
        "and which one it is cannot be told"
    )
    return NextBoot(
        kernels=tuple(
            BootKernel(one.release, one.why, one.words, running=True)
            if one.release == running
            else replace(
                read.modules.get(one.release, BootKernel(one.release, "")),
                why=one.why,
                words=one.words,
            )
            for one in chosen
        ),
        untold=untold,
        kexec=kexec if read.kexec else "",
        volatile=_volatile(read.mounts),
        read_only=next((point for point in _WHOLE if read.mounts.get(point, ("", False))[1]), ""),
        points=tuple(sorted(read.points)) if read.saw_points else None,
        initramfs=tuple(read.initramfs),
        dracut=read.dracut,
        modules_gone=bool(read.files.installed) and running not in read.files.installed,
    )


def _volatile(mounts: dict[str, tuple[str, bool, str]]) -> str:
    """Why the files that decide may not be kept: they lie in memory, or on a mount of their own."""
    below = next((point for point in mounts if point not in _WHOLE), "")
    if below:
        return f"{below} is a mount of its own: whether it is there after a boot is not known"
    point = next((point for point in _WHOLE if point in mounts), "")
    if not point:
        return "where /etc is mounted could not be seen, so whether a boot keeps it is not known"
    kind, _, upper = mounts[point]
    if kind in _IN_MEMORY:
        return f"{point} is a {kind}, so files changed in /etc are gone after a boot"
    if upper in _IN_MEMORY:
        return (
            f"{point} is an overlay over a {upper}, so files changed in /etc are gone after a boot"
        )
    if upper in ("unseen", "overlay"):
        return (
            f"{point} is an overlay whose upper directory is not seen, so whether files in /etc "
            "are there after a boot is not known"
        )
    return ""


class _Reader:
    """Reads the section line by line."""

    def __init__(self, section: Section) -> None:
        self.section = section
        self.files = BootLoader()
        self.modules: dict[str, BootKernel] = {}
        self.mounts: dict[str, tuple[str, bool, str]] = {}
        self.initramfs: list[str] = []
        self.points: list[str] = []
        self.kexec = self.dracut = self.saw_points = False
        self.menu: list[str] | None = None
        self.entry: Entry | None = None
        self.looked: BootKernel | None = None

    def line(self, line: str) -> None:
        """Read one line.

        Raises:
            GarbledEvidenceError: it is not of its form.
        """
        word, _, rest = line.partition(" ")
        files = self.files
        if word in ("kexec=0", "kexec=1"):
            self.kexec = word == "kexec=1"
        elif line in ("dracut", "points"):
            self.dracut = self.dracut or line == "dracut"
            self.saw_points = self.saw_points or line == "points"
        elif word in ("cut", "custom", "automount"):
            files.unseen = {
                "cut": "the boot loader has more files or entries than the probe brings",
                "custom": "grub.cfg takes entries from custom.cfg",
                "automount": f"{rest} is mounted on demand and was not looked into",
            }[word]
        elif word in ("kernel", "modules") and _RELEASE.fullmatch(rest):
            if word == "kernel":
                files.installed.append(rest)
            else:
                self.looked = self.modules[rest] = BootKernel(rest, "", module="absent")
        elif word in ("image", "closed", "initramfs", "point"):
            {
                "image": files.images,
                "closed": files.closed,
                "initramfs": self.initramfs,
                "point": self.points,
            }[word].append(rest)
        elif word == "mount" and (found := _MOUNT.fullmatch(rest)):
            self.mounts[found[1]] = found[2], found[3] == "ro", found[4] or ""
        elif not self._of_loader(word, rest) and not self._of_modules(line):
            raise self.section.garbled_line(line)

    def _of_loader(self, word: str, rest: str) -> bool:
        """Read a line of a boot loader's file; False for another line."""
        name, _, value = rest.partition("=")
        if word == "menu":
            self.menu = self.files.menus.setdefault(rest, [])
        elif word == "grub" and self.menu is not None:
            self.menu.append(rest)
        elif word == "env":
            self.files.environment.setdefault(name, set()).add(value)
        elif word == "efi":
            self.files.efi[name] = value
        elif word == "loader":
            self.files.patterns.append(rest.partition("default")[2].strip())
        elif word == "entry":
            self.entry = Entry((rest.rpartition("/")[2].removesuffix(".conf"),))
            self.files.entries.append(self.entry)
        elif word.startswith("entry-") and self.entry is not None:
            self._of_entry(word.removeprefix("entry-"), rest.strip())
        else:
            return False
        return True

    def _of_entry(self, field: str, value: str) -> None:
        entry = self.entry
        assert entry is not None  # noqa: S101  # asked before
        if field == "title":
            entry.names = (*entry.names, value)
        elif field == "version":
            entry.version = value
        elif field == "linux":
            entry.kernel = value
        elif field == "options":
            entry.words = told_words(value)

    def _of_modules(self, line: str) -> bool:
        """Read a line about the modules of a kernel that is installed; False for another line."""
        kernel, (name, _, value) = self.looked, line.partition("=")
        if kernel is None:
            return False
        if line == "builtin":
            found = replace(kernel, module="builtin")
        elif name == "file" and value.startswith("/"):
            found = replace(kernel, module="available", file=value)
        elif line in ("switch=yes", "switch=no"):
            found = replace(kernel, knows_switch=value == "yes")
        elif name == "softdep":
            found = replace(kernel, softdep=value)
        else:
            return False
        self.looked = self.modules[kernel.release] = found
        return True
