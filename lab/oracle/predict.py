"""What the audit's own model says of a case: one prediction for each thing that is tried."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.host_config import HostConfig
from ipvs_audit.persistence.loader_failures import exit_status_unknown, failure_reasons
from ipvs_audit.persistence.reload import after_reload, find_hook, why_not_surely_loaded
from ipvs_audit.persistence.sysctl_answers import REPORT
from ipvs_audit.persistence.tree_on_disk.programs import read_programs
from ipvs_audit.persistence.tree_on_disk.tree import read_tree
from ipvs_audit.snapshot.sysctl_key import RUN_ESTIMATION, loader_path, resolved
from lab.oracle.cases import MISSING_MODULES
from lab.oracle.fake_modules import DEPENDS
from lab.oracle.userlands import GUEST, USERLANDS, ensure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.persistence.prediction import Prediction
    from ipvs_audit.snapshot.config_files import ConfigTree
    from ipvs_audit.snapshot.modprobe_config import Directive
    from ipvs_audit.snapshot.sysctl_loader import Loader
    from lab.oracle.trial_case import TrialCase
    from lab.oracle.userlands import Userland

MARK = 77
"""The key's value before a loader runs, as guest.sh sets it: what none of the cases writes."""

NO_HOOK = "loads the file"
_KEYS = (
    RUN_ESTIMATION.path,
    "net/ipv4/ip_forward",
    "kernel/panic",
    "net/ipv4/vs/drop_entry",
    "net/ipv4/vs/conntrack",
)
"""Those of the cases that the machine has."""

_MODULES = dict.fromkeys(DEPENDS, True) | dict.fromkeys(MISSING_MODULES, False)

#: What the probe does not ask the kernel for.
_ODD = re.compile(r"[*?\[ \t\x01-\x1f\x7f]|\.\.|^\.|^/|^$")


@dataclass(frozen=True)
class ExpectedResult:
    """What should come of one try.

    Attributes:
        value: as guest.sh prints it; None where the model says that it does not know.
        fails: whether the program should exit non-zero; None where that is not predicted.
        why: the model's reasons, for the report of a mismatch.
        fault: whether the audit says that the setting does not hold, whatever the value.
        may_stay_unloaded: whether the audit says that ip_vs may not be loaded at all.
        differs: how the host's own programs answered otherwise than the model; empty where not.
    """

    value: str | None
    fails: bool | None
    why: str
    fault: bool = False
    may_stay_unloaded: bool = False
    differs: str = ""


def predict(
    folder: Path, case: TrialCase, userland: Userland = USERLANDS[GUEST]
) -> dict[str, ExpectedResult]:
    """The predictions for a case, by the name of each try.

    Args:
        folder: where its tree is written.
        case: the case.
        userland: whose programs read it; a guest's are those of Debian 12.
    """
    tree, loaders = _read(folder), userland.loaders
    programs = replace(
        read_programs(ensure(userland), tree, loaders),
        modules=_MODULES,
        unresolvable=frozenset(MISSING_MODULES),
    )
    config = HostConfig(
        tree,
        loaders,
        has_switch=True,
        softdep=f"1:softdep ip_vs {case.softdep}" if case.softdep else "",
        kernel="6.1.0",
        programs=programs,
    )
    hook, _ = find_hook(config)
    found = {
        "sysctl-p": _loader(config, config.sysctl_p),
        "sysctl-system": _loader(config, config.sysctl_system)
        if loaders.sysctl_kind == "procps"
        else ExpectedResult(str(MARK), None, "busybox has no --system"),
        "systemd-sysctl": _loader(config, config.systemd_sysctl),
        "reload": _from_prediction(after_reload(config, _off)),
        "boot": predict_boot(config, case.trigger),
        "shown": ExpectedResult(_shown(config, hook), None, hook.where if hook else "no hook"),
    }
    found["reload"] = _of_load(config, case.trigger, found["reload"])
    return found


def predict_boot(config: HostConfig, trigger: str) -> ExpectedResult:
    """The prediction for a boot after which a module is loaded, where it is not there yet.

    Where the host's own programs answer otherwise than the model, ``differs`` says so.
    """
    prediction = after_boot(config, _off)
    # The status is that of a later modprobe, which finds ip_vs loaded where that is early.
    expected = replace(_from_prediction(prediction), fails=None)
    if REPORT in prediction.doubt:
        expected = replace(expected, differs=prediction.doubt)
    return _of_load(config, trigger, expected)


def _of_load(config: HostConfig, trigger: str, expected: ExpectedResult) -> ExpectedResult:
    unloaded = bool(why_not_surely_loaded(config))
    return _with_hook_of(config, trigger, replace(expected, may_stay_unloaded=unloaded))


def _read(folder: Path) -> ConfigTree:
    """The tree as on a host with a merged /usr, with the probe's answers: which keys there are."""
    link = folder / "lib"
    link.symlink_to("usr/lib")
    tree = read_tree(folder)
    link.unlink()
    lines = [line.text for file in tree.files.values() for line in file.lines or ()]
    return replace(tree, keys=dict(answer for text in lines for answer in _asked(text)))


def _asked(line: str) -> Iterator[tuple[str, bool]]:
    """What the probe says of the key that a line sets."""
    name, equals, _ = line.partition("=")
    key = re.sub(r"^[ \t]*-?[ \t]*", "", name).rstrip(" \t")
    if equals and not _ODD.search(key) and len(key) <= 256:  # noqa: PLR2004  # as the probe
        yield key, resolved(loader_path(key)) in _KEYS


def _off(value: int) -> bool:
    return value == 0


def _with_hook_of(config: HostConfig, trigger: str, expected: ExpectedResult) -> ExpectedResult:
    """The prediction for ip_vs where a hook of the module that is loaded runs as well.

    The model says only that such a hook does not change a right value.
    """
    if trigger == "ip_vs" or config.modprobe.first("install", trigger) is None:
        return expected
    value = expected.value if expected.value == "0" else None
    return replace(expected, value=value, fails=None, may_stay_unloaded=True)


def _shown(config: HostConfig, hook: Directive | None) -> str:
    """The command that modprobe would run for ip_vs, with the module's options after it."""
    if hook is None:
        return NO_HOOK
    options = [entry.rest for entry in config.modprobe.all("options", "ip_vs")]
    return " ".join(" ".join([hook.rest, *options]).split())


def _loader(config: HostConfig, loader: Loader) -> ExpectedResult:
    resolution = config.resolve(loader)
    why = "; ".join(
        f"{entry.where} {'wins' if entry.wins else entry.why}" for entry in resolution.assignments
    )
    if resolution.doubt:
        return ExpectedResult(None, None, resolution.doubt)
    value = MARK if resolution.value is None else resolution.value
    printed = failure_reasons(config, loader, key_exists=True)
    unknown = exit_status_unknown(config, loader, key_exists=True)
    return ExpectedResult(
        str(value), None if unknown else bool(printed), "; ".join([why, *printed])
    )


def _from_prediction(prediction: Prediction) -> ExpectedResult:
    if prediction.fault:
        return ExpectedResult(None, None, prediction.reason, fault=True)
    if prediction.doubt:
        return ExpectedResult(None, None, prediction.reason)
    value = "absent" if prediction.value is None else str(prediction.value)
    fails = any("reports a failure" in note for note in prediction.notes)
    return ExpectedResult(value, fails or None, prediction.summary)
