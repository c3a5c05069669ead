"""EST-1 kernel-support: this kernel can switch estimation off."""

from ipvs_audit.controls.control import Assessment, control
from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot import Snapshot
from ipvs_audit.snapshot.floor import floor_for, reaches


@control(
    "EST-1",
    "kernel-support",
    severity="high",
    source="vendor document: supported kernel versions",
    fix="Update to a kernel that has net.ipv4.vs.run_estimation, and boot it.",
    evidence=("host", "module", "netns"),
)
def test_kernel_support(snapshot: Snapshot, policy: Policy, assessment: Assessment) -> None:
    """Only kernels that have net.ipv4.vs.run_estimation can switch estimation off.

    What the kernel shows decides: the key, once ip_vs is loaded, or the key's name in the module
    file. The documented minimum release corroborates it, and decides only where nothing else can.
    """
    module, kernel, switch = snapshot.module, snapshot.kernel, snapshot.census.host
    assessment.expect("a kernel that has net.ipv4.vs.run_estimation")
    if module.state == "absent":
        assessment.not_applicable(
            f"kernel {kernel.release} has no ip_vs: no module file, not built in"
        )
    if policy.estimation == "enabled":
        assessment.not_applicable(
            "the policy wants estimation enabled, as every kernel starts with"
        )

    os = floor_for(snapshot.host.os_id, snapshot.host.os_version)
    floor = policy.floors.get(os)
    documented = reaches(kernel.release, floor, os) if floor else None
    corroboration = {
        True: f"; the documented minimum, {floor}, is reached",
        False: f"; yet the documented minimum is {floor}",
        None: f"; whether it reaches {floor} cannot be determined from its release"
        if floor
        else "",
    }[documented]

    if module.loaded:
        able = switch.raw is not None or (None if switch.why_unread == "denied" else False)
        shown = f"ip_vs is {module.state}, and the kernel " + (
            "has the key" if able else "has no such key" if able is False else "hides its keys"
        )
    else:
        able = module.knows_switch
        shown = (
            f"ip_vs is not loaded; {module.file or 'its module file'} "
            + {
                True: "holds the key's name",
                False: "does not hold the key's name",
                None: "could not be read",
            }[able]
        )
    if able is False and switch.other_switch:
        shown += f" (but another vendor's: {switch.other_switch})"
    assessment.observe(f"kernel {kernel.release}: {shown}{corroboration}")

    if able is None:
        able = documented
    if able is None:
        assessment.inconclusive(
            f"{assessment.observed}. Run as root, or load ip_vs, and the kernel itself shows it."
        )
    assert able, f"kernel {kernel.release} cannot switch estimation off: {shown}" + (
        f", although the documented minimum, {floor}, is reached" if documented else ""
    )
