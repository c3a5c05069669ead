"""Who the host is, which loaders it has, and who on it reads IPVS statistics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """Facts that say which machine and which boot this was.

    Attributes:
        hostname: the kernel's host name.
        machine_id: ``/etc/machine-id``; empty where there is none.
        boot_id: ``/proc/sys/kernel/random/boot_id``.
        uptime: seconds since boot.
        clock: the host's clock, seconds since the epoch, whole.
        os_id: ``ID`` of os-release, e.g. ``alinux``; empty where there is none.
        os_version: ``VERSION_ID`` of os-release.
        os_name: ``PRETTY_NAME`` of os-release.
        platform_id: ``PLATFORM_ID`` of os-release, e.g. ``platform:al8``.
        possible_cpus: CPUs that the estimator walks, from ``/sys/devices/system/cpu/possible``.
        root: whether the probe's effective user was root.
        user: effective user, as evidence shows it: ``root (uid 0)``.
        blind: what the probe could not see, and why, one sentence each.
        cpu_seconds: CPU that the probe itself used on the host, children included.
    """

    hostname: str
    machine_id: str
    boot_id: str
    uptime: float
    clock: int
    os_id: str
    os_version: str
    os_name: str
    platform_id: str
    possible_cpus: int | None
    root: bool
    user: str
    blind: tuple[str, ...]
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True)
class Loaders:
    """Which programs apply sysctl settings and load modules on this host.

    Attributes:
        init: name of process 1, e.g. ``systemd``.
        systemd_sysctl: path of the systemd-sysctl program, or None.
        systemd_version: e.g. 252, or None.
        systemd_modules_load: path of systemd-modules-load, or None.
        procps: version of procps' sysctl, e.g. ``(4, 0, 2)``; None where there is none.
        sysctl: path of sysctl and what it is, e.g. ``/usr/sbin/sysctl`` / ``procps`` or ``busybox``.
        kmod: version of kmod's modprobe, e.g. 30; None for another modprobe, or none.
        modprobe: path of modprobe, or None.
        units: state of boot units that matter, e.g. ``{"systemd-sysctl.service": "enabled"}``,
            from files only; "masked" where a link to /dev/null says so.
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


@dataclass(frozen=True, slots=True)
class Consumer:
    """A process that reads IPVS statistics, which go flat with estimation off.

    Attributes:
        name: e.g. ``node_exporter``.
        pid: on the host.
        detail: what it reads, or why it may not (``--no-collector.ipvs``).
        loses: whether it loses something; False for a reader whose collector is switched off.
    """

    name: str
    pid: int
    detail: str
    loses: bool
