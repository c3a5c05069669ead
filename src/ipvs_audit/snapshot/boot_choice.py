"""Which kernels boot next, by the files of the boot loader, as far as they tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from ipvs_audit.snapshot.boot_menu import Entry, Menu, UnknownChoiceError, read_menu, release_of


class Choice(NamedTuple):
    """A kernel's release, what names it, and words of its command line, as an entry has them."""

    release: str
    why: str
    words: tuple[str, ...] | None = None


_ONCE, _SAVED = "${next_entry}", "${saved_entry}"
#: What makes grub.cfg, or a program of the boot, choose otherwise than its menu says.
_UNUSUAL = ("boot_counter", "initrdfail", "env_block")


@dataclass(slots=True)
class BootLoader:
    """What the probe read of the boot loader, and which kernels are installed.

    Attributes:
        installed: the releases in /lib/modules.
        images: paths of kernels in /boot.
        environment: the values of GRUB's environment blocks, by name.
        menus: the lines of each grub.cfg, by path.
        entries: those of the Boot Loader Specification.
        patterns: the values of ``default`` in systemd-boot's loader.conf.
        efi: what the boot loader wrote into EFI variables, by name.
        closed: files and directories that could not be read.
        unseen: why what was read may not be all.
    """

    installed: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    environment: dict[str, set[str]] = field(default_factory=dict)
    menus: dict[str, list[str]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)
    efi: dict[str, str] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    unseen: str = ""

    def is_only_kernel(self, running: str) -> bool:
        """Whether no other kernel than the running one is installed, or named by a menu."""
        paths = [
            line.split(" ")[1] for menu in self.menus.values() for line in menu if _is_linux(line)
        ]
        paths += [one.kernel for one in self.entries]
        found = {release_of(path) for path in (*self.images, *paths)}
        kernels = {one for one in found if not one.startswith("0-rescue")}
        return self.installed == [running] and bool(self.images) and kernels == {running}

    def value(self, name: str) -> str:
        """A value of GRUB's environment; empty where it is not set.

        Raises:
            UnknownChoiceError: two environments differ.
        """
        found = self.environment.get(name, set())
        if len(found) > 1:
            raise UnknownChoiceError(f"two grubenv files give different values of {name}")
        return next(iter(found), "")


def choices(files: BootLoader, running: str) -> tuple[Choice, ...]:
    """The kernels that boot next: one, or a one-shot entry's and then the default's.

    Raises:
        UnknownChoiceError: this cannot be told; says why.
    """
    try:
        return _by_loader(files, running)
    except UnknownChoiceError:
        if files.is_only_kernel(running) and not files.unseen:
            return (Choice(running, "it is the only kernel that is installed"),)
        raise


def _by_loader(files: BootLoader, running: str) -> tuple[Choice, ...]:
    if files.unseen:
        raise UnknownChoiceError(files.unseen)
    loader = files.efi.get("LoaderInfo", "")
    if loader.startswith("systemd-boot"):
        found: tuple[Choice, ...] = (_by_systemd_boot(files),)
    elif loader and not loader.startswith("GRUB"):
        raise UnknownChoiceError(f"the boot loader is {loader}")
    else:
        found = _by_grub(files, running)
    for release, _, _ in found:
        if release != running and release not in files.installed:
            raise UnknownChoiceError(f"{release} would boot, and is not in /lib/modules")
    return found


def _by_grub(files: BootLoader, running: str) -> tuple[Choice, ...]:
    menus = [read_menu(path, lines, files.entries) for path, lines in files.menus.items()]
    # One without entries only names the real one: those in the EFI system partition.
    menus = [one for one in menus if one.entries or one.unknown]
    closed = [path for path in files.closed if "grub" in path or not menus]
    if closed:
        raise UnknownChoiceError(f"{closed[0]} could not be read")
    if not menus:
        raise UnknownChoiceError("no configuration of GRUB or systemd-boot was found")
    first, *rest = (_of_menu(files, menu, running) for menu in menus)
    named = [[one.release for one in found] for found in (first, *rest)]
    if any(one != named[0] for one in named):
        raise UnknownChoiceError(f"{menus[0].path} and {menus[1].path} name different kernels")
    return first


def _of_menu(files: BootLoader, menu: Menu, running: str) -> tuple[Choice, ...]:
    if menu.unknown:
        raise UnknownChoiceError(menu.unknown)
    for name in _UNUSUAL:
        if files.value(name):
            raise UnknownChoiceError(f"{name} is set in GRUB's environment")
    if all(one.release != running for one in menu.all_entries):
        raise UnknownChoiceError(f"the running kernel is in no entry of {menu.path}")
    found = []
    if _ONCE in menu.defaults and (once := files.value("next_entry")):
        found.append(_named(menu, once, f"once, by next_entry of {menu.path}"))
    default = _default(menu)
    if default != _SAVED:
        found.append(_named(menu, default, f"the default entry of {menu.path}"))
        return tuple(found)
    saved = files.value("saved_entry")
    why = "the saved entry" if saved else "no entry is saved, so the first one"
    found.append(_named(menu, saved, f"{why} of {menu.path}"))
    if later := files.value("prev_saved_entry"):
        found.append(_named(menu, later, f"then, by prev_saved_entry of {menu.path}"))
    return tuple(found)


def _default(menu: Menu) -> str:
    """What ``default`` is set to, where nothing goes before it.

    el8's menu counts failed boots: it sets 1 where ``boot_counter`` ran out, which was ruled out.
    """
    values = [one for one in menu.defaults if one != _ONCE]
    if menu.counts_boots and values.count("1") == 1 and len(values) > 1:
        values.remove("1")
    if len(set(values)) > 1:
        raise UnknownChoiceError(f"{menu.path} sets its default in several ways")
    value = values[0] if values else ""
    if "$" in value and value != _SAVED:
        raise UnknownChoiceError(f"{menu.path} takes its default from {value}")
    return value


def _named(menu: Menu, default: str, why: str) -> Choice:
    entry = menu.choose(default)
    if not entry.release:
        raise UnknownChoiceError(f"{why}, {entry.names[0]!r}, does not name its kernel's release")
    return Choice(entry.release, why, entry.words)


def _by_systemd_boot(files: BootLoader) -> Choice:
    """The entry that systemd-boot(7) takes where one is named; its own order is not followed."""
    wanted = [
        (files.efi[name], f"systemd-boot's {name}")
        for name in ("LoaderEntryOneShot", "LoaderEntryDefault")
        if files.efi.get(name)
    ]
    wanted += [(pattern, "the default in loader.conf") for pattern in files.patterns]
    if files.closed or not wanted:
        raise UnknownChoiceError("systemd-boot chooses the kernel, and no readable file names it")
    pattern, why = wanted[0]
    found = [one for one in files.entries if fnmatchcase(f"{one.names[0]}.conf", pattern)]
    if len(found) != 1 or not found[0].release:
        raise UnknownChoiceError(f"{why} is {pattern!r}, which names no kernel's release")
    return Choice(found[0].release, why, found[0].words)


def _is_linux(line: str) -> bool:
    return line.startswith("linux ")
