"""EST-6 frozen-counters: the estimator's totals are frozen while packets are counted."""

from ipvs_audit.controls.control import Assessment, control
from ipvs_audit.controls.judged_namespaces import (
    ack_contradiction,
    is_exempt,
    judged_namespaces,
)
from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot import Snapshot
from ipvs_audit.snapshot.counters import Movement, Series
from ipvs_audit.snapshot.namespaces import Netns

#: What the samples of a namespace show, in an operator's words.
_WORDS = {
    Movement.FROZEN: "the totals stood still while the per-CPU counters grew: estimation is off",
    Movement.RUNNING: "the totals grew: estimation runs",
    Movement.NO_TRAFFIC: "no counter moved: no traffic, so nothing is proven",
    Movement.TOO_LATE: "packets came only at the end of the sample: the totals had no time to move",
    Movement.ZEROED: "the totals went down: somebody zeroed them (ipvsadm -Z) during the sample",
    Movement.TOO_FEW: "too few samples",
}


@control(
    "EST-6",
    "frozen-counters",
    severity="high",
    source="vendor document: step 4, method 2",
    fix="Set the live value (EST-4, EST-5); if it is already correct, find what resets it.",
    evidence=("counters", "stats.0", "stats.2", "module"),
    proves=True,
    remediable=True,
)
def test_frozen_counters(snapshot: Snapshot, policy: Policy, assessment: Assessment) -> None:
    """The value says what was asked for; the counters say what happens.

    The packet path counts per CPU; the estimator sums these up every 2 s. Frozen totals prove
    something only if the per-CPU counters grew at least one period before the last look.
    """
    off = policy.estimation == "disabled"
    assessment.expect(
        "per-CPU counters grow and the totals " + ("stand still" if off else "follow")
    )
    census = snapshot.census
    if not snapshot.module.loaded:
        assessment.not_applicable("ip_vs is not loaded: nothing is counted")

    contradiction = ack_contradiction(census, policy)
    judged = [census.host] if census.host.holds_rules else []
    # A wrong value is a failure of EST-5 already: here the namespaces with the right value count.
    judged += [
        netns
        for netns in judged_namespaces(census, policy)
        if netns.holds_rules and (netns.value is None or policy.accepts(netns.value))
    ]
    seen = [(netns, _movement(snapshot.counters.get(netns.inode))) for netns in judged]
    assessment.observe(
        "\n".join(_shown(netns, snapshot.counters.get(netns.inode)) for netns in judged[:_MOST])
        or "no network namespace that could be seen holds IPVS rules"
    )

    proven, disproven = (
        (Movement.FROZEN, Movement.RUNNING) if off else (Movement.RUNNING, Movement.FROZEN)
    )
    wrong = [netns for netns, movement in seen if movement is disproven]
    open_ = [(netns, movement) for netns, movement in seen if movement is not proven]
    assert not wrong, f"{contradiction}{_WORDS[disproven]}, in " + ", ".join(
        netns.name for netns in wrong[:_MOST]
    )
    if not judged:
        assessment.inconclusive("no namespace holds IPVS rules: there is no traffic to count")
    if open_:
        assessment.inconclusive(
            contradiction
            + "; ".join(f"{netns.name}: {_WORDS[movement]}" for netns, movement in open_[:_MOST])
        )
    if at_odds := [netns.name for netns in judged if not _switch_agrees(netns, off=off)]:
        why = "somebody may have zeroed the totals (ipvsadm -Z)" if off else "it may have been set"
        assessment.inconclusive(
            f"{contradiction}{_WORDS[proven]}, but the switch does not read so in"
            f" {', '.join(at_odds[:_MOST])}: {why} meanwhile"
        )
    if off and (threads := census.contradicting_threads):
        assessment.inconclusive(
            f"{contradiction}{_WORDS[proven]}, but the estimator's thread {threads[0]} runs"
        )
    if not census.complete and not is_exempt(census, policy):
        assessment.inconclusive(
            f"{contradiction}{_WORDS[proven]}, where it could be seen; but not every namespace"
            f" could be inspected: {'; '.join(census.gaps)}"
        )


#: Namespaces listed by name in a message; the evidence has all.
_MOST = 20


def _switch_agrees(netns: Netns, *, off: bool) -> bool:
    """Whether what was read says the same as the counters: either may have changed meanwhile.

    A kernel that shows no switch estimates, so what stands still there was zeroed in between.
    """
    if off:
        return netns.value == 0 or netns.stopped
    return netns.value != 0 and not netns.stopped


def _movement(series: Series | None) -> Movement:
    return Movement.TOO_FEW if series is None else series.movement


def _shown(netns: Netns, series: Series | None) -> str:
    if series is None or not series.samples:
        return f"{netns.name}: not sampled"
    first, last = series.samples[0], series.samples[-1]
    return (
        f"{netns.name}, over {last.at - first.at:.1f} s:"
        f" per-CPU packets in {first.raw.in_pkts} -> {last.raw.in_pkts},"
        f" totals {first.total.in_pkts} -> {last.total.in_pkts}"
    )
