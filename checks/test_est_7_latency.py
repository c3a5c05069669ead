"""EST-7 latency: round trips to the host are steady. Only where it is asked for: --latency."""

from ipvs_audit.controls.control import Assessment, control
from ipvs_audit.latency.analysis import analyse
from ipvs_audit.latency.attribution import attribute_delays
from ipvs_audit.latency.estimator_runs_text import estimator_runs_text, holds_text, long_holds
from ipvs_audit.latency.round_trips_text import (
    Estimation,
    estimation_of,
    exposure_text,
    insufficient_because,
    round_trips_text,
    steady,
)
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.text import duration
from ipvs_audit.snapshot import Snapshot


@control(
    "EST-7",
    "latency",
    severity="medium",
    source="vendor document: what to do next",
    fix="Use network diagnostics to find what else stalls the host or the path.",
    evidence=("latency", "latency.trace"),
    required=False,
    references=("NIST SP 800-53 SC-5",),
)
def test_latency(snapshot: Snapshot, policy: Policy, assessment: Assessment) -> None:
    """Delays of tens to hundreds of milliseconds, every 2 s, are why estimation is switched off.

    Round trips are measured from the controller. Delays that follow each other by 2 s and their own
    length come at the estimator's period: its timer is set again at the end of each run.
    """
    assessment.expect(
        f"at most {policy.latency_spikes} delays of more than {policy.latency_spike_ms} ms"
        " above the median round trip"
    )
    if snapshot.collection.via == "local":
        assessment.not_applicable("this machine itself: measure from another one")
    if not snapshot.collection.via.startswith("ssh"):
        assessment.not_applicable("not reached over SSH: measure the machine that it runs on")
    trace = snapshot.latency
    if trace is None:
        assessment.inconclusive("it was not measured: --latency does")
    spike, estimator_runs = policy.latency_spike_ms / 1000, snapshot.estimator_runs
    found = analyse(trace, spike=spike)
    estimation = estimation_of(snapshot)
    seen = (
        round_trips_text(trace, found),
        exposure_text(snapshot),
        estimator_runs_text(estimator_runs, estimation),
    )
    assessment.observe("\n".join(filter(None, seen)))
    if trace.ended:
        assessment.error(f"not measured to the end: {trace.ended}")
    if weak := insufficient_because(found):
        assessment.inconclusive(weak)

    if steady(found, policy.latency_spikes):
        if estimator_runs is not None and (holds := long_holds(estimator_runs, spike)):
            off = ", although estimation is off according to the probe"
            assessment.inconclusive(
                f"steady, but {holds_text(estimator_runs, holds)}"
                f"{off if estimation is Estimation.OFF else ''}: these round trips may not have"
                " come by that CPU; try the other --latency-via, or another controller"
            )
        stall = snapshot.exposure.stall
        if estimation is Estimation.ON and stall and stall[0] > spike:
            assessment.inconclusive(
                "steady, but estimation is on, and by its exposure takes a CPU for"
                f" {duration(stall[0])} every 2 s: these"
                " round trips may not have come by that CPU; try the other"
                " --latency-via, or another controller"
            )
        return
    if policy.estimation == "disabled" and estimation is not Estimation.OFF:
        assessment.suggest("Switch estimation off (EST-2 to EST-5), and measure again")
    assert not found.spikes, attribute_delays(found, estimation, snapshot, policy)
