"""EST-2 sysctl-persisted: the value that wins in the persisted configuration is the policy's."""

from ipvs_audit.controls.control import Assessment, control
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.host_answers import sysctl_answer_lines
from ipvs_audit.persistence.host_config import sysctl_config_of
from ipvs_audit.persistence.persisted_value import persisted_value
from ipvs_audit.persistence.policy_verdicts import judge_persisted
from ipvs_audit.persistence.suggested_fix import suggest_persisted
from ipvs_audit.snapshot import Snapshot


@control(
    "EST-2",
    "sysctl-persisted",
    severity="medium",
    source="vendor document: step 2",
    fix="Keep one line that sets net.ipv4.vs.run_estimation to the policy's value, in "
    "/etc/sysctl.conf, and remove the other lines for the key.",
    evidence=("sysctl", "sysctl-named", "modprobe", "loaders", "next-boot", "asked"),
    proves=True,
    remediable=True,
    references=(
        "NIST SP 800-53 CM-6",
        "ISO/IEC 27001:2022 A.8.9",
        "CIS Controls v8 4.1",
    ),
)
def test_sysctl_persisted(snapshot: Snapshot, policy: Policy, assessment: Assessment) -> None:
    """The next boot, reload or sysctl -p sets what the files say.

    Every loader that will run on the host has its own files and order, so all must agree: procps
    (sysctl -p where /etc/sysctl.conf exists, sysctl --system), systemd-sysctl where it runs at
    boot, and whatever a modprobe hook reads. A loader that reads no line for the key leaves it
    unchanged, and is only shown.
    """
    assessment.expect(f"every loader that sets net.ipv4.vs.run_estimation sets it {policy.demand}")
    if snapshot.module.state == "absent" and not snapshot.next_boot.brings_ip_vs:
        if other_root := snapshot.loaders.other_root:
            assessment.inconclusive(other_root)
        assessment.not_applicable("ip_vs is not present on this host: no module file, not built in")
    config = sysctl_config_of(snapshot)
    found = persisted_value(config, policy.accepts)
    assessment.observe("\n".join([*found.lines, *config.ignored, *sysctl_answer_lines(config)]))

    verdict, why = judge_persisted(config, policy)
    if verdict is Verdict.FAIL:
        assessment.suggest(suggest_persisted(config, policy))
    assert verdict is not Verdict.FAIL, why
    if verdict is Verdict.INCONCLUSIVE:
        assessment.inconclusive(why)
