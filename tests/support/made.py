"""Snapshots made by hand: each part given as the parsed dataclass, without a probe."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipvs_audit.controls.control import Check, control_of, judge
from ipvs_audit.model.policy import Policy
from ipvs_audit.persistence.tree_on_disk.programs import standard_programs
from ipvs_audit.snapshot import CollectionInfo, Section, Snapshot
from ipvs_audit.snapshot.account import Account
from ipvs_audit.snapshot.boot_files import BootFiles
from ipvs_audit.snapshot.counters import Counts, Sample, Series, Switch
from ipvs_audit.snapshot.host import Host, Loaders
from ipvs_audit.snapshot.host_answers import HostAnswers
from ipvs_audit.snapshot.kernel import Kernel, Module
from ipvs_audit.snapshot.namespaces import Census, Netns
from ipvs_audit.snapshot.next_boot import BootKernel, NextBoot
from ipvs_audit.snapshot.statistics_readers import StatisticsReaders

if TYPE_CHECKING:
    from ipvs_audit.model.verdict import Result

CHECKS = Path(__file__).parents[2] / "checks"


def host(**changes: str) -> Host:
    """A Debian 12 host; changes by the key of the probe's line, ``possible="0-63"``."""
    values = {
        "release": "6.1.0-50-amd64",
        "hostname": "web1",
        "machine-id": "0" * 32,
        "boot-id": "00000000-0000-0000-0000-000000000000",
        "uptime": "100.00 90.00",
        "possible": "0-1",
        "arch": "x86_64",
        "clock": "1700000000",
        "os ID": "debian",
        "os VERSION_ID": '"12"',
        "os PRETTY_NAME": '"Debian GNU/Linux 12 (bookworm)"',
    } | changes
    return Host(Section("host", "", "".join(f"{k}={v}\n" for k, v in values.items()), None, 1.0))


def account(uid: int = 0, user: str = "root") -> Account:
    """Whom the probe ran as."""
    return Account(Section("identity", "", f"uid={uid}\nuser={user}\nticks=2\n", None, 1.0))


COLLECTED = CollectionInfo(
    started="2026-11-23T02:00:00.000Z",
    finished="2026-11-23T02:00:06.000Z",
    via="ssh root@192.0.2.1:22",
    fingerprint="SHA256:abc",
    probe="0123456789ab",
)
LOADERS = Loaders(
    init="systemd",
    systemd_sysctl="/usr/lib/systemd/systemd-sysctl",
    systemd_version=252,
    systemd_modules_load="/usr/lib/systemd/systemd-modules-load",
    procps=(4, 0, 2),
    sysctl_path="/usr/sbin/sysctl",
    sysctl_kind="procps",
    kmod=30,
    modprobe="/usr/sbin/modprobe",
    masked_units=(),
    udevd="/usr/lib/systemd/systemd-udevd",
)
LOADED = Module(
    state="loaded",
    file=None,
    knows_switch=None,
    refcount=1,
    kthreads=(),
    symbols=("estimation_timer",),
)


def netns(
    inode: int = 1, name: str = "host", raw: str | None = "0", services: int | None = 1, **more: Any
) -> Netns:
    fields: dict[str, Any] = {
        "why_unread": "",
        "est_cpulist": None,
        "destinations": services,
    } | more
    return Netns(inode=inode, name=name, raw=raw, services=services, **fields)


def census(host: Netns | None = None, *others: Netns, gaps: tuple[str, ...] = ()) -> Census:
    return Census(host=host or netns(), others=others, complete=not gaps, gaps=gaps)


def series(
    inode: int,
    *samples: tuple[float, int, int],
    switch: str | None = "0",
    est_cpulist: str | None = None,
) -> Series:
    """Samples as (time, raw packets, total packets), and the switch as it read at their end."""
    return Series(
        inode,
        tuple(
            Sample(at, Counts(0, raw, 0, 0, 0), Counts(0, total, 0, 0, 0), cpus=2)
            for at, raw, total in samples
        ),
        Switch(samples[-1][0] if samples else 0.0, switch, est_cpulist),
        same_module=True,
    )


OFF = ((0.0, 10, 3), (2.0, 14, 3), (5.2, 20, 3))
ON = ((0.0, 10, 9), (2.0, 14, 10), (5.2, 20, 18))
SILENT = ((0.0, 10, 10), (2.0, 10, 10), (5.2, 10, 10))


def snapshot(**parts: Any) -> Snapshot:
    made = Snapshot("web1", COLLECTED, {})
    defaults: dict[str, Any] = {
        "host": host(),
        "account": account(),
        "kernel": Kernel("6.1.0-40-cloud-amd64"),
        "module": LOADED,
        "census": census(),
        "counters": {1: series(1, *OFF)},
        "readers": StatisticsReaders(),
        "loaders": LOADERS,
        "programs": standard_programs("debian"),
        "host_answers": HostAnswers(),
        "next_boot": NextBoot((BootKernel("6.1.0-40-cloud-amd64", "", running=True),)),
        "boot_files": BootFiles(),
    }
    made.__dict__.update(defaults | parts)
    return made


@cache
def check(control: str) -> Check:
    """The check of a control, from the folder that pytest audits with."""
    (path,) = CHECKS.glob(f"test_{control.lower().replace('-', '_')}_*.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (found,) = (
        function
        for function in vars(module).values()
        if (about := control_of(function)) is not None and about.id == control
    )
    return found  # type: ignore[no-any-return]


def verdict(control: str, evidence: Snapshot, policy: Policy | None = None) -> Result:
    return judge(check(control), evidence, policy or Policy())


#: What the host shows where the kernel has no switch, or no ip_vs at all.
NO_KEY = netns(raw=None, why_unread="absent")
ABSENT = Module("absent", None, None, None, ())


def available(knows: bool | None) -> Module:
    """An ip_vs that is not loaded, of which a file tells whether it knows the switch."""
    return Module("available", "/lib/modules/x/ip_vs.ko.xz", knows, None, ())
