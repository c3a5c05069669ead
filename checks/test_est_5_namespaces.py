"""EST-5 namespaces: what runs now, in every other network namespace that holds IPVS rules."""

from ipvs_audit.controls.control import Assessment, control
from ipvs_audit.controls.judged_namespaces import (
    ack_contradiction,
    garbled_namespaces,
    is_exempt,
    judged_namespaces,
    uninspected,
)
from ipvs_audit.controls.running_value_fix import set_values
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.text import counted
from ipvs_audit.snapshot import Snapshot
from ipvs_audit.snapshot.counters import Movement
from ipvs_audit.snapshot.namespaces import Netns


@control(
    "EST-5",
    "namespaces",
    severity="high",
    source="vendor document: step 3, network namespace containers",
    fix="Set net.ipv4.vs.run_estimation to the policy's value in each namespace that is named.",
    evidence=("netns", "module"),
    proves=True,
    remediable=True,
    references=(
        "NIST SP 800-53 CM-6",
        "NIST SP 800-53 SC-5",
        "ISO/IEC 27001:2022 A.8.9",
        "CIS Controls v8 4.1",
    ),
)
def test_namespaces(snapshot: Snapshot, policy: Policy, assessment: Assessment) -> None:
    """A new network namespace always starts with estimation on, whatever the host is set to.

    So each one that holds IPVS rules must be set. ACK keeps all rules on the host side and is
    exempt, unless another namespace is seen to hold some.
    """
    census = snapshot.census
    asked = "every other network namespace" + (
        "" if policy.namespaces == "every" else " that holds IPVS rules"
    )
    assessment.expect(f"net.ipv4.vs.run_estimation {policy.demand} in {asked}")
    if not snapshot.module.loaded:
        assessment.not_applicable("ip_vs is not loaded: no namespace can hold rules")
    if is_exempt(census, policy) and not census.garbled:
        assessment.not_applicable(
            "exempt: an ACK host, where kube-proxy keeps all IPVS rules in the host's namespace"
            + (
                f"; the census is incomplete: {gaps}"
                if (gaps := uninspected(census, policy))
                else ""
            )
        )
    if census.host.raw is None and census.host.why_unread == "absent":
        assessment.not_applicable("this kernel has no net.ipv4.vs.run_estimation (see EST-1)")

    judged, contradiction = judged_namespaces(census, policy), ack_contradiction(census, policy)
    wrong = [netns for netns in judged if _disproven(netns, snapshot, policy)]
    unread = [netns for netns in judged if netns.value is None and netns not in wrong]
    unseen = [
        netns
        for netns in census.others
        if netns.holds_rules is None and netns.why_unread != "gone" and netns not in judged
    ]
    assessment.observe(
        f"{contradiction}{counted(len(census.others), 'other network namespace')},"
        f" {len(judged):,} evaluated"
        + "".join(f"\n{_shown(netns)}" for netns in judged[:_MOST])
        + (f"\n... and {len(judged) - _MOST} more" if len(judged) > _MOST else "")
    )

    assessment.suggest(set_values(wrong[:_MOST], policy))
    assert not wrong, (
        f"{contradiction}estimation is not {policy.estimation} in "
        + "; ".join(_shown(netns) for netns in wrong[:_MOST])
        + (f"; and {len(wrong) - _MOST} more" if len(wrong) > _MOST else "")
    )
    if census.garbled:
        assessment.error(f"{contradiction}{garbled_namespaces(census)}")
    if unread:
        assessment.inconclusive(
            f"{contradiction}the value could not be read in "
            + "; ".join(map(_shown, unread[:_MOST]))
        )
    if unseen:
        assessment.inconclusive(
            f"{contradiction}whether they hold rules could not be seen: "
            + "; ".join(map(_shown, unseen[:_MOST]))
        )
    if gaps := uninspected(census, policy):
        assessment.inconclusive(f"{contradiction}not every namespace could be inspected: {gaps}")
    if not judged:
        assessment.not_applicable(f"there is no {asked.removeprefix('every ')}")


#: Namespaces listed by name in a message; the evidence has all.
_MOST = 20


def _disproven(netns: Netns, snapshot: Snapshot, policy: Policy) -> bool:
    if netns.value is not None:
        stopped = netns.stopped and policy.estimation == "enabled"
        return stopped or not policy.accepts(netns.value)
    # A kernel up to 6.8 hides the key in namespaces owned by a user namespace, where it stays at
    # its default, 1: the counters still tell that estimation runs there.
    series = snapshot.counters.get(netns.inode)
    moving = series is not None and series.movement is Movement.RUNNING
    return netns.why_unread == "absent" and policy.estimation == "disabled" and moving


def _shown(netns: Netns) -> str:
    value = f"= {netns.raw}" if netns.raw is not None else f"not read ({netns.why_unread})"
    if netns.stopped:
        value += ", est_cpulist is empty"
    return f"{netns.name} (net:[{netns.inode}], IPVS services: {netns.services or 0}): {value}"
