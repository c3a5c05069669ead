"""What the audit's own model says of a case: one prediction for each thing that is tried."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.file_tree import read_tree
from ipvs_audit.persistence.host_config import HostConfig
from ipvs_audit.persistence.loader_failures import failure_reasons
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.host import Loaders

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.persistence.prediction import Prediction
    from ipvs_audit.snapshot.sysctl_loader import Loader

MARK = 77
"""The key's value before a loader runs, as guest.sh sets it: what none of the cases writes."""

GUEST = Loaders(
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
_KEYS = {"net.bogus.key": False, "kernel.panic": True, "net.ipv4.vs.drop_entry": True}


@dataclass(frozen=True)
class ExpectedResult:
    """What should come of one try.

    Attributes:
        value: as guest.sh prints it; None where the model says that it does not know.
        fails: whether the program should exit non-zero; None where that is not predicted.
        why: the model's reasons, for the report of a mismatch.
    """

    value: str | None
    fails: bool | None
    why: str


def predict(folder: Path, trigger: str = "ip_vs") -> dict[str, ExpectedResult]:
    """The predictions for a tree on disk, by the name that guest.sh gives to each try.

    Args:
        folder: the tree.
        trigger: the module that is asked for, ip_vs or one that needs it.
    """
    tree = replace(read_tree(folder), keys=_KEYS)
    config = HostConfig(tree, GUEST, has_switch=True)
    found = {
        "sysctl-p": _loader(config, config.sysctl_p),
        "sysctl-system": _loader(config, config.sysctl_system),
        "systemd-sysctl": _loader(config, config.systemd_sysctl),
        "reload": _from_prediction(after_reload(config, _off)),
        # Its status is that of a later modprobe, which finds ip_vs loaded where that is early.
        "boot": replace(_from_prediction(after_boot(config, _off)), fails=None),
    }
    for name in ("reload", "boot"):
        found[name] = _with_hook_of(config, trigger, found[name])
    old = HostConfig(tree, replace(GUEST, procps=(3, 3, 17)), has_switch=True)
    found["sysctl-p-3.3.17"] = _loader(old, old.sysctl_p)
    found["sysctl-system-3.3.17"] = _loader(old, old.sysctl_system)
    return found


def _off(value: int) -> bool:
    return value == 0


def _with_hook_of(config: HostConfig, trigger: str, expected: ExpectedResult) -> ExpectedResult:
    """The prediction for ip_vs where a hook of the module that is loaded runs as well.

    The model says only that such a hook does not change a right value.
    """
    if trigger == "ip_vs" or config.modprobe.first("install", trigger) is None:
        return expected
    return replace(expected, value=expected.value if expected.value == "0" else None, fails=None)


def _loader(config: HostConfig, loader: Loader) -> ExpectedResult:
    resolution = config.resolve(loader)
    why = "; ".join(
        f"{entry.where} {'wins' if entry.wins else entry.why}" for entry in resolution.assignments
    )
    if resolution.doubt:
        return ExpectedResult(None, None, resolution.doubt)
    value = MARK if resolution.value is None else resolution.value
    printed = failure_reasons(config, loader, key_exists=True)
    return ExpectedResult(str(value), bool(printed) or None, "; ".join([why, *printed]))


def _from_prediction(prediction: Prediction) -> ExpectedResult:
    if prediction.doubt or prediction.fault:
        return ExpectedResult(None, None, prediction.reason)
    value = "absent" if prediction.value is None else str(prediction.value)
    fails = any("reports a failure" in note for note in prediction.notes)
    return ExpectedResult(value, fails or None, prediction.summary)
