"""EST-1 kernel-support: this kernel, and the one that boots next, can switch estimation off."""

from ipvs_audit.controls.control import Assessment, control
from ipvs_audit.controls.kernel_switch import kernel_switch, update_kernel
from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot import Snapshot


@control(
    "EST-1",
    "kernel-support",
    severity="high",
    source="vendor document: supported kernel versions",
    fix="Update to a kernel that has net.ipv4.vs.run_estimation, and boot it.",
    evidence=("host", "module", "netns", "next-boot", "loaders"),
    references=(
        "NIST SP 800-53 CM-6",
        "NIST SP 800-53 SI-2",
        "ISO/IEC 27001:2022 A.8.9",
        "CIS Controls v8 4.1",
    ),
)
def test_kernel_support(snapshot: Snapshot, policy: Policy, assessment: Assessment) -> None:
    """Only kernels that have net.ipv4.vs.run_estimation can switch estimation off.

    What the kernel shows decides: the key, once ip_vs is loaded, or the key's name in the module
    file. The documented minimum release corroborates it: alone it makes no pass. The same is asked
    of the kernel that boots next, where another one is installed and the boot loader's files tell.
    """
    release, boot = snapshot.kernel.release, snapshot.next_boot
    assessment.expect("a kernel that has net.ipv4.vs.run_estimation, now and after a boot")
    lacking = [one for one in boot.others if one.lacks_key]
    other_root = snapshot.loaders.other_root
    if other_root and snapshot.module.state == "absent":
        assessment.inconclusive(other_root)
    if snapshot.module.state == "absent" and not boot.brings_ip_vs:
        assessment.not_applicable("ip_vs is not present on this host: no module file, not built in")
    if policy.estimation == "enabled":
        assessment.not_applicable(
            "the policy wants estimation enabled, as every kernel starts with"
        )
    found = kernel_switch(snapshot, policy)
    observed = f"kernel {release}: {found.shown}{found.corroboration}"
    assessment.observe(f"{observed}\nnext boot: {boot.summary}")

    patched = ", ".join(snapshot.module.livepatches)
    helps = f"; a reboot helps: {boot.summary}" if boot.others and boot.have_key else ""
    assessment.suggest(update_kernel(boot, found))
    assert patched or not found.unable, (
        f"kernel {release} cannot switch estimation off: {found.why_unable}{helps}"
    )
    if other_root:
        assessment.inconclusive(f"{observed}; but of the next boot: {other_root}")
    assert not lacking, (
        f"{lacking[0]}, and cannot switch estimation off: {lacking[0].file} does not hold the "
        "key's name"
    )
    if patched:
        assessment.inconclusive(
            f"ip_vs is live-patched ({patched}): what the kernel shows may not be all that it "
            "does. Boot a kernel whose ip_vs needs no patch."
        )
    if found.able is None and snapshot.module.state != "absent":
        assessment.inconclusive(
            f"{observed}. Run as root, or load ip_vs, and the kernel itself shows it."
        )
    if doubt := next((one.doubt for one in boot.others if one.doubt), boot.kexec):
        assessment.inconclusive(f"{observed}; but {doubt}")
