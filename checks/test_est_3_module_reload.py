"""EST-3 module-reload: the value holds after ip_vs is reloaded, and after a boot."""

from ipvs_audit.controls.control import Assessment, control
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.host_answers import load_answer_lines
from ipvs_audit.persistence.host_config import host_config_of
from ipvs_audit.persistence.policy_verdicts import judge_reload
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.suggested_fix import suggest_reload
from ipvs_audit.snapshot import Snapshot


@control(
    "EST-3",
    "module-reload",
    severity="medium",
    source="vendor document: step 3, IPVS module reloads",
    fix="Correct what the finding names, so that each load of ip_vs, and each boot, ends with the "
    "policy's value. The vendor's recipe: the value in /etc/sysctl.conf; and in "
    "/etc/modprobe.d/ipvs.conf: install ip_vs /sbin/modprobe --ignore-install ip_vs && "
    "/sbin/sysctl -p",
    evidence=(
        "modprobe",
        "udev",
        "modules-load",
        "sysctl",
        "sysctl-named",
        "running-values",
        "loaders",
        "programs",
        "module",
        "asked",
        "next-boot",
        "late-writers",
    ),
    proves=True,
    remediable=True,
    references=(
        "NIST SP 800-53 CM-6",
        "ISO/IEC 27001:2022 A.8.9",
        "CIS Controls v8 4.1",
    ),
)
def test_module_reload(snapshot: Snapshot, policy: Policy, assessment: Assessment) -> None:
    """Each load of ip_vs resets the value to 1, and at boot sysctl runs before ip_vs is there.

    So a line in a file is not enough: a modprobe hook, a udev rule, modules-load.d or an ip_vs
    that is built in must bring it into effect, and must read the file that holds it.
    """
    assessment.expect(
        f"net.ipv4.vs.run_estimation {policy.demand} after a module reload and after a boot"
    )
    if snapshot.module.state == "absent" and not snapshot.next_boot.brings_ip_vs:
        if other_root := snapshot.loaders.other_root:
            assessment.inconclusive(other_root)
        assessment.not_applicable("ip_vs is not present on this host: no module file, not built in")
    config = host_config_of(snapshot)
    reload, boot = (after(config, policy.accepts) for after in (after_reload, after_boot))
    predicted = f"after a module reload: {reload.summary}", f"after a boot: {boot.summary}"
    assessment.observe("\n".join([*predicted, *config.ignored, *load_answer_lines(config)]))

    verdict, why = judge_reload(config, policy)
    if verdict is Verdict.FAIL:
        assessment.suggest(suggest_reload(config, policy))
    assert verdict is not Verdict.FAIL, why
    if verdict is Verdict.INCONCLUSIVE:
        assessment.inconclusive(why)
