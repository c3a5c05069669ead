"""EST-4 live-value: what runs now, in the host's own network namespace."""

from ipvs_audit.controls.control import Assessment, control
from ipvs_audit.controls.running_value_fix import set_host_value
from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot import Snapshot


@control(
    "EST-4",
    "live-value",
    severity="high",
    source="vendor document: step 4, method 1",
    fix="Set net.ipv4.vs.run_estimation to the policy's value in the host's network namespace.",
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
def test_live_value(snapshot: Snapshot, policy: Policy, assessment: Assessment) -> None:
    """The running value is what stalls packets or does not, whatever any file says.

    0 is off; anything else is on. A file that is right does not help before it is applied. An
    empty est_cpulist stops the estimator whatever the value; a thread of it proves that it runs.
    """
    host = snapshot.census.host
    assessment.expect(f"net.ipv4.vs.run_estimation {policy.demand} in the host's network namespace")
    if not snapshot.module.loaded:
        assessment.not_applicable(
            "ip_vs is not loaded: there is no running value, and no estimation"
        )
    if host.raw is None and host.why_unread == "absent":
        assessment.not_applicable("this kernel has no net.ipv4.vs.run_estimation (see EST-1)")
    if host.value is None:
        assessment.error(
            "net.ipv4.vs.run_estimation is there but could not be read"
            f" ({host.why_unread}) as {snapshot.account.user}"
        )
    assessment.observe(f"net.ipv4.vs.run_estimation = {host.raw}")
    assessment.suggest(set_host_value(host, policy))
    reads = f"net.ipv4.vs.run_estimation is {host.raw} in the host's network namespace"
    if host.stopped and host.value != 0:
        assert policy.estimation == "disabled", (
            f"{reads}, but est_cpulist is empty: nothing estimates there"
        )
        reads += (
            "; est_cpulist is empty, which stops the estimator for now, but the switch is still on"
        )
    assert policy.accepts(host.value), reads
    if inside := snapshot.census.container:
        assessment.inconclusive(
            f"{reads.replace('the host', 'the container')}, but {inside}; the host's own network"
            " namespace may be another. Audit the host itself, from outside"
        )
    if policy.estimation == "disabled" and (threads := snapshot.census.contradicting_threads):
        assessment.inconclusive(f"{reads}, but the estimator's thread {threads[0]} runs there")
