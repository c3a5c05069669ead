"""The running values: that one key, in the host's namespace and in each that EST-5 judges.

The fix for EST-4, EST-5 and EST-6. Needs root: CAP_NET_ADMIN in each namespace, and to reach
another than the host's own CAP_SYS_PTRACE (to find it) and CAP_SYS_ADMIN (to enter it). Nothing
else is set, no ``sysctl -p`` is run, no module is loaded or unloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.controls.judged_namespaces import judged_namespaces
from ipvs_audit.remedy.plan_steps import SetRunningValue

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.snapshot import Snapshot
    from ipvs_audit.snapshot.namespaces import Netns

_WHY = {
    "absent": "its kernel hides the key there (a namespace of an unprivileged container)",
    "denied": "the key could not be read there",
    "unentered": "the probe could not enter it",
}


def running_value_steps(
    snapshot: Snapshot, policy: Policy
) -> tuple[tuple[SetRunningValue, ...], tuple[str, ...]]:
    """The values to set, and a note for each namespace that cannot be set.

    Raises:
        GarbledEvidenceError: a section that it needs cannot be read.
    """
    if not snapshot.module.loaded:
        return (), ()
    census = snapshot.census
    steps: list[SetRunningValue] = []
    notes: list[str] = []
    if census.host.value is not None and not policy.accepts(census.host.value):
        steps.append(_step(census.host, census.host.value, policy, own=True))
    if census.host.raw is None and census.host.why_unread == "absent":
        return tuple(steps), ()
    for netns in judged_namespaces(census, policy):
        if netns.value is None:
            why = _WHY.get(netns.why_unread, netns.why_unread)
            notes.append(f"namespace {netns.name} (net:[{netns.inode}]) cannot be set: {why}")
        elif not policy.accepts(netns.value):
            steps.append(_step(netns, netns.value, policy, own=False))
    return tuple(steps), tuple(notes)


def _step(netns: Netns, value: int, policy: Policy, *, own: bool) -> SetRunningValue:
    return SetRunningValue(
        control="EST-4" if own else "EST-5",
        reason=f"it runs with {netns.raw}, and the policy requires estimation {policy.estimation}",
        inode=netns.inode,
        name=netns.name,
        before=value,
        after=policy.wanted,
        own=own,
    )


def why_still_stopped(snapshot: Snapshot, policy: Policy) -> str:
    """Where an empty est_cpulist stops the estimation that the policy wants; empty for nowhere.

    It is not set here: which CPUs the estimator may use is the operator's choice.

    Raises:
        GarbledEvidenceError: a section that it needs cannot be read.
    """
    if policy.estimation == "disabled" or not snapshot.module.loaded:
        return ""
    census = snapshot.census
    stopped = [one.name for one in (census.host, *judged_namespaces(census, policy)) if one.stopped]
    if not stopped:
        return ""
    return (
        f"net.ipv4.vs.est_cpulist is empty in {', '.join(stopped)}, so nothing estimates there;"
        " set it to the CPUs that the estimator may use"
    )
