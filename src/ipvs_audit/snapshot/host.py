"""Who the host is, and which loaders it has."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.model.package_version import PackageVersion, parse_package_version
from ipvs_audit.snapshot.section import Facts, Section, decimal, number, read_facts, read_once

if TYPE_CHECKING:
    from collections.abc import Iterator


#: What the probe says of the machine.
_KEYS = frozenset(
    [
        *("release", "hostname", "machine-id", "boot-id", "uptime", "possible", "arch", "clock"),
        *("os ID", "os VERSION_ID", "os PRETTY_NAME"),
    ]
)


@dataclass(frozen=True)
class Host:
    """Which machine and which boot this was, read from the section when it is asked for.

    Every property may raise :class:`GarbledEvidenceError`; a line that does not parse spoils none
    but its own.
    """

    section: Section

    @cached_property
    def _facts(self) -> Facts:
        return read_facts(self.section, _KEYS)

    def _text(self, key: str) -> str:
        return self._facts.get(key) or ""

    @property
    def release(self) -> str:
        """The kernel's release, as it stands there."""
        return self._text("release")

    @property
    def arch(self) -> str:
        """The kernel's architecture, e.g. ``x86_64``."""
        return self._text("arch")

    @property
    def hostname(self) -> str:
        """The kernel's host name."""
        return self._text("hostname")

    @property
    def machine_id(self) -> str:
        """``/etc/machine-id``; empty where there is none."""
        return self._text("machine-id")

    @property
    def boot_id(self) -> str:
        """``/proc/sys/kernel/random/boot_id``."""
        return self._text("boot-id")

    @property
    def uptime(self) -> float:
        """Seconds since boot."""
        return decimal(self.section, "the uptime", self._text("uptime").partition(" ")[0])

    @property
    def clock(self) -> int:
        """The host's clock, seconds since the epoch, whole."""
        return self._facts.number("clock")

    @property
    def os_id(self) -> str:
        """``ID`` of os-release, e.g. ``alinux``; empty where there is none."""
        return _unquoted(self._text("os ID"))

    @property
    def os_version(self) -> str:
        """``VERSION_ID`` of os-release."""
        return _unquoted(self._text("os VERSION_ID"))

    @property
    def os_name(self) -> str:
        """``PRETTY_NAME`` of os-release."""
        return _unquoted(self._text("os PRETTY_NAME"))

    @property
    def possible_cpus(self) -> int | None:
        """CPUs that the estimator walks, from ``/sys/devices/system/cpu/possible``."""
        text = self._facts.get("possible")
        return None if text is None else _cpus(self.section, text)


@dataclass(frozen=True, slots=True)
class Loaders:
    """Which programs apply sysctl settings and load modules on this host.

    Attributes:
        init: name of process 1, e.g. ``systemd``.
        systemd_sysctl: path of the systemd-sysctl program, or None.
        systemd_version: e.g. 252, or None.
        systemd_modules_load: path of systemd-modules-load, or None.
        procps: version of procps' sysctl, e.g. ``(4, 0, 2)``; None where there is none or it does
            not tell.
        sysctl_path: path of sysctl, or None.
        sysctl_kind: what it is: ``procps``, ``busybox``, ``toybox`` or ``unknown``.
        kmod: version of kmod's modprobe, e.g. 30; None for another modprobe, or none.
        modprobe: path of modprobe, or None.
        modprobe_kind: what it is: ``kmod``, ``busybox``, ``toybox`` or ``unknown``.
        masked_units: units of the boot that a link to /dev/null or an empty file masks, e.g.
            ``systemd-sysctl.service``.
        procps_release, systemd_release, kmod_release: the packages' releases, e.g. ``8.el8``;
            empty where not known. Builds of one version differ: procps 3.3.15 and 3.3.17.
        os_id: ``ID`` of os-release; tells what an unknown release may be.
        udevd: path of systemd-udevd, or None.
        other_root: why the files that the probe read may not be those of process 1, as in a chroot;
            empty where they are, or where an ordinary account may not compare them.
        helps_dry_run: whether ``sysctl --help`` names ``--dry-run``; None where it was not asked.
    """

    init: str
    systemd_sysctl: str | None
    systemd_version: int | None
    systemd_modules_load: str | None
    procps: tuple[int, ...] | None
    sysctl_path: str | None
    sysctl_kind: str
    kmod: int | None
    modprobe: str | None
    masked_units: tuple[str, ...]
    procps_release: str = ""
    systemd_release: str = ""
    kmod_release: str = ""
    os_id: str = ""
    udevd: str | None = None
    helps_dry_run: bool | None = None
    modprobe_kind: str = "kmod"
    other_root: str = ""


#: What the probe says of the loaders.
_LOADERS_LINE = re.compile(
    r"(root|init|masked|package|modules-disabled|(systemd|sysctl|modprobe)-version|sysctl|modprobe"
    r"|systemd-(sysctl|modules-load|udevd))="
)


@read_once
def parse_loaders(section: Section) -> Loaders:
    """The programs that apply settings and load modules.

    Raises:
        GarbledEvidenceError: the section is not whole, or a line is not of its form.
    """
    for line in section.whole_lines():
        if not _LOADERS_LINE.match(line):
            raise section.garbled_line(line)
    facts = _first(section)
    sysctl = facts.get("sysctl-version", "")
    modprobe = facts.get("modprobe-version", "")
    systemd = re.match(r"(?:systemd )?([0-9]{1,5})", facts.get("systemd-version", ""))
    kmod = re.match(r"kmod version ([0-9]{1,5})\b", modprobe)
    procps = re.search(r"procps\S* (?:version )?([0-9]{1,5}(?:\.[0-9]{1,5})*)", sysctl)
    packages = dict(_packages(section))
    release = packages.get("procps-ng") or packages.get("procps")
    upstream = tuple(int(part) for part in procps[1].split(".")) if procps else None
    return Loaders(
        init=facts.get("init", ""),
        systemd_sysctl=facts.get("systemd-sysctl"),
        systemd_version=int(systemd[1]) if systemd else None,
        systemd_modules_load=facts.get("systemd-modules-load"),
        procps=upstream,
        sysctl_path=facts.get("sysctl"),
        sysctl_kind="procps" if "procps" in sysctl else _kind(sysctl),
        modprobe_kind="kmod" if kmod else _kind(modprobe),
        kmod=int(kmod[1]) if kmod else None,
        modprobe=facts.get("modprobe"),
        masked_units=section.fields().get("masked", ()),
        # A sysctl of another version than the package's is not the package's.
        procps_release=release.release if release and release.upstream == upstream else "",
        systemd_release=packages["systemd"].release if "systemd" in packages else "",
        kmod_release=packages["kmod"].release if "kmod" in packages else "",
        udevd=facts.get("systemd-udevd"),
        other_root=_other_root(section, facts.get("root", "")),
    )


def _other_root(section: Section, told: str) -> str:
    word, _, path = told.partition(" ")
    match word:
        case "same" | "unread":
            return ""
        case "other":
            return (
                f"the probe sees another {path} than process 1 does (it ran in a chroot or a"
                " container): the files that it read are not those that the host boots with. Audit"
                " the host itself, from outside"
            )
        case "denied":
            return (
                "the root of process 1 cannot be inspected, even by root: whether the files that"
                " the probe read are the host's is not known. Audit it outside of any container"
            )
        case "":
            return "the evidence does not say whether the probe saw the same files as process 1"
    raise section.garbled(f"root is {told[:40]!r}")


def _packages(section: Section) -> Iterator[tuple[str, PackageVersion]]:
    """The installed packages that the probe asked for; a version that is odd is not known."""
    for line in section.fields().get("package", ()):
        name, _, version = line.partition(" ")
        with suppress(ValueError):
            yield name, parse_package_version(version)


def _first(section: Section) -> dict[str, str]:
    return {key: values[0] for key, values in section.fields().items()}


@lru_cache(maxsize=1024)
def _unquoted(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value


def _cpus(section: Section, text: str) -> int:
    """How many CPUs a list like ``0-3,8`` names."""
    total = 0
    for part in text.split(","):
        low, dash, high = part.partition("-")
        first = number(section, "the list of possible CPUs", low)
        last = number(section, "the list of possible CPUs", high) if dash else first
        if last < first:
            raise section.garbled(f"the list of possible CPUs is {text[:40]!r}")
        total += last - first + 1
    return total


def _kind(version: str) -> str:
    return next((kind for kind in ("busybox", "toybox") if kind in version.lower()), "unknown")
