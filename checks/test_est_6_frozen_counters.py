"""EST-6 frozen-counters: the estimator's totals are frozen while packets are counted."""

from ipvs_audit.controls.control import Assessment, control
from ipvs_audit.controls.judged_namespaces import (
    ack_contradiction,
    garbled_namespaces,
    is_exempt,
    judged_namespaces,
    uninspected,
)
from ipvs_audit.controls.running_value_fix import set_host_value
from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot import Snapshot
from ipvs_audit.snapshot.counters import Counters, Movement, Series, Switch
from ipvs_audit.snapshot.namespaces import Netns

#: What the samples of a namespace show, in an operator's words.
_WORDS = {
    Movement.FROZEN: "the totals stood still while the per-CPU counters grew: estimation is off",
    Movement.RUNNING: "the totals grew: estimation runs",
    Movement.NO_TRAFFIC: "no counter moved: no traffic, so nothing is proven",
    Movement.TOO_LATE: "packets came only at the end of the sample: the totals had no time to move",
    Movement.WENT_DOWN: "counters went down during the sample: somebody zeroed the totals"
    " (ipvsadm -Z), or they are not the same counters any more",
    Movement.RELOADED: "ip_vs was unloaded or loaded anew during the sample: run the audit again",
    Movement.MOVED: "the process that it was sampled through ended or left it: run the audit again",
    Movement.TOO_FEW: "too few samples",
    Movement.GARBLED: "evidence of its counters cannot be read",
}


@control(
    "EST-6",
    "frozen-counters",
    severity="high",
    source="vendor document: step 4, method 2",
    fix="Set the running value (EST-4, EST-5); if it is already correct, find what resets it.",
    evidence=("counters", "stats.0", "stats.2", "module"),
    proves=True,
    remediable=True,
    references=(
        "NIST SP 800-53 CM-6",
        "NIST SP 800-53 SC-5",
        "ISO/IEC 27001:2022 A.8.9",
        "CIS Controls v8 4.1",
    ),
)
def test_frozen_counters(snapshot: Snapshot, policy: Policy, assessment: Assessment) -> None:
    """The value says what was asked for; the counters say what happens.

    The packet path counts per CPU; the estimator sums these up every 2 s. Frozen totals prove
    something only if the per-CPU counters grew at least one period before the last look. The switch
    is read before and after: it must say the same both times.
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
    wrong = [
        netns
        for netns, movement in seen
        # Totals that stand still while the switch says on: the estimator may be starting, or late.
        if movement is disproven and (off or not _agrees(netns, off=False))
    ]
    open_ = [(netns, movement) for netns, movement in seen if movement is not proven]
    assessment.suggest(_fix(wrong, census.host, policy))
    assert not wrong, (
        f"{contradiction}{_WORDS[disproven]}, in "
        + ", ".join(
            "the host's network namespace" if netns is census.host else netns.name
            for netns in wrong[:_MOST]
        )
        + _despite(wrong, snapshot.counters, off=off)
    )
    if garbled := _unreadable(judged, snapshot.counters) or (
        garbled_namespaces(census) if not is_exempt(census, policy) else ""
    ):
        assessment.error(f"{contradiction}{garbled}")
    if not judged:
        assessment.inconclusive("no namespace holds IPVS rules: there is no traffic to count")
    if open_:
        assessment.inconclusive(
            contradiction
            + "; ".join(
                f"{netns.name}: {_WORDS[movement] if movement is not disproven else _LATE}"
                for netns, movement in open_[:_MOST]
            )
        )
    if at_odds := [
        f"{netns.name}: {doubt}"
        for netns in judged
        if (doubt := _doubt(netns, snapshot.counters[netns.inode].switch, off=off))
    ]:
        assessment.inconclusive(
            f"{contradiction}{_WORDS[proven]}, but the switch does not say so all the time, in"
            f" {'; '.join(at_odds[:_MOST])}"
        )
    if any(snapshot.counters[netns.inode].same_module is None for netns in judged) and (
        snapshot.module.state == "loaded"
    ):
        assessment.inconclusive(
            f"{contradiction}{_WORDS[proven]}, but whether ip_vs was reloaded meanwhile could not"
            " be seen (/sys/module/ip_vs)"
        )
    if off and (threads := census.contradicting_threads):
        assessment.inconclusive(
            f"{contradiction}{_WORDS[proven]}, but the estimator's thread {threads[0]} runs"
        )
    if (gaps := uninspected(census, policy)) and not is_exempt(census, policy):
        assessment.inconclusive(
            f"{contradiction}{_WORDS[proven]}, where it could be seen; but not every namespace"
            f" could be inspected: {gaps}"
        )


#: Namespaces listed by name in a message; the evidence has all.
_MOST = 20


#: Of totals that stand still while estimation is wanted and the switch says that it is on.
_LATE = (
    "the totals stood still although the switch says that estimation is on: the estimator may just"
    " have been started, or have got no CPU time; run the audit again"
)


def _fix(wrong: list[Netns], host: Netns, policy: Policy) -> str:
    """What puts this host right; empty where the control's own text says all."""
    off = policy.estimation == "disabled"
    if wrong and off and host.why_unread == "absent":
        return "Boot a kernel that has net.ipv4.vs.run_estimation (EST-1)"
    if host in wrong and host.value is not None and not _agrees(host, off=off):
        return set_host_value(host, policy)
    return ""


def _unreadable(judged: list[Netns], counters: Counters) -> str:
    """Which counters could not be read, and why; empty where all could."""
    found = ((netns.name, counters.get(netns.inode)) for netns in judged)
    bad = [f"{name}: {one.garbled}" for name, one in found if one is not None and one.garbled]
    return f"counters cannot be read: {'; '.join(bad[:_MOST])}" if bad else ""


def _agrees(one: Netns | Switch, *, off: bool) -> bool:
    """Whether what was read of the switch says the same as the counters.

    A kernel that shows no switch estimates.
    """
    stopped = one.est_cpulist is not None and not one.est_cpulist.strip()
    is_off = stopped or (one.raw is not None and int(one.raw) == 0)
    return is_off if off else not is_off


def _doubt(netns: Netns, after: Switch | None, *, off: bool) -> str:
    """Why the switch does not bear out the counters, at the beginning or at the end; or nothing."""
    if after is None:
        return f"it {_read(netns)} at first and was not read again"
    if _agrees(netns, off=off) and _agrees(after, off=off):
        return ""
    if _read(netns) == _read(after):
        return f"it {_read(netns)}"
    return f"it {_read(netns)} at first and {_read(after)} at the end: something sets it"


def _despite(wrong: list[Netns], counters: Counters, *, off: bool) -> str:
    """That the switch said otherwise, both times, where it did so in all that are wrong."""
    after = [counters[netns.inode].switch for netns in wrong]
    if not all(one is not None and _agrees(one, off=off) for one in (*wrong, *after)):
        return ""
    return (
        f"; but the switch says {'off' if off else 'on'} there: it was set only just before, or"
        " something changes it again and again"
    )


def _read(one: Netns | Switch) -> str:
    """What was read of the switch."""
    if one.raw is None:
        return "could not be read"
    empty = one.est_cpulist is not None and not one.est_cpulist.strip()
    return f"reads {one.raw}" + (", with est_cpulist empty" if empty else "")


def _movement(series: Series | None) -> Movement:
    return Movement.TOO_FEW if series is None else series.movement


def _shown(netns: Netns, series: Series | None) -> str:
    if series is None or not series.samples:
        return f"{netns.name}: not sampled"
    first, last = series.samples[0], series.samples[-1]
    switch = f"; the switch {_read(netns)}"
    if series.switch is not None:
        switch += f", and at the end {_read(series.switch)}"
    return (
        f"{netns.name}, over {last.at - first.at:.1f} s:"
        f" per-CPU packets in {first.raw.in_pkts} -> {last.raw.in_pkts},"
        f" totals {first.total.in_pkts} -> {last.total.in_pkts}{switch}"
    )
