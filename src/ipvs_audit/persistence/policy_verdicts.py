"""The verdicts of EST-2 and EST-3 on a configuration: for the checks, remediation and explain.

Whether a control applies at all (is there an ip_vs?) is not asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.persisted_value import persisted_value
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.run_files import lost_at_boot, without_run

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.persistence.host_config import HostConfig


def judge_persisted(config: HostConfig, policy: Policy) -> tuple[Verdict, str]:
    """EST-2: the verdict, and the reason where it is not a pass.

    What wins must still be there at the next boot: a file in /run will not be.
    """
    if why := config.loaders.other_root:
        return Verdict.INCONCLUSIVE, why
    verdict, why = _judge_persisted(config, policy)
    if verdict is not Verdict.PASS:
        return verdict, why
    lost = lost_at_boot(config, lambda files: _judge_persisted(files, policy)[0])
    if not lost:
        volatile = config.next_boot.volatile if config.next_boot else ""
        return (Verdict.INCONCLUSIVE, volatile) if volatile else (verdict, why)
    later, why = _judge_persisted(without_run(config), policy)
    return later, f"{lost}; then {why}"


def _judge_persisted(config: HostConfig, policy: Policy) -> tuple[Verdict, str]:
    found = persisted_value(config, policy.accepts)
    if found.conflicting:
        return Verdict.FAIL, _with_ignored(config, found.conflict)
    if found.doubts:
        return Verdict.INCONCLUSIVE, found.doubts[0]
    if policy.estimation == "disabled" and not found.sets_policy_value:
        why = f"no loader of this host reads a line that sets {config.key.dotted}"
        return Verdict.FAIL, _with_ignored(config, why)
    return Verdict.PASS, ""


def judge_reload(config: HostConfig, policy: Policy) -> tuple[Verdict, str]:
    """EST-3: the verdict, and the reason where it is not a pass."""
    if why := config.loaders.other_root:
        return Verdict.INCONCLUSIVE, why
    predictions = (
        ("a module reload", after_reload(config, policy.accepts)),
        ("a boot", after_boot(config, policy.accepts)),
    )
    for when, prediction in predictions:
        if prediction.holds(policy.accepts) is False:
            why = f"the value does not hold after {when}: {prediction.reason}"
            return Verdict.FAIL, _with_ignored(config, why)
    for when, prediction in predictions:
        if prediction.holds(policy.accepts) is None:
            return Verdict.INCONCLUSIVE, f"the value after {when} is not known: {prediction.reason}"
    return Verdict.PASS, ""


def _with_ignored(config: HostConfig, why: str) -> str:
    """The reason, and which files no loader reads: the value may be meant to stand there."""
    return "; ".join((why, *config.ignored))
