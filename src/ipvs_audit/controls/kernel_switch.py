"""Whether the running kernel has the key, by what it shows, and what its release corroborates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.floor import floor_for, reaches

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.snapshot import Snapshot
    from ipvs_audit.snapshot.next_boot import NextBoot


@dataclass(frozen=True, slots=True)
class KernelSwitch:
    """What is known of the running kernel's ``run_estimation``.

    Attributes:
        able: whether ip_vs has the key, as the kernel or its file shows; None where neither does.
        shown: what shows it, in one sentence without a full stop.
        floor: the documented minimum release; empty where none is documented.
        documented: whether the release reaches that; None where it cannot be compared.
    """

    able: bool | None
    shown: str
    floor: str
    documented: bool | None

    @property
    def unable(self) -> bool:
        """Whether the key is seen to be missing, or the release is below the documented minimum."""
        return self.able is False or (self.able is None and self.documented is False)

    @property
    def why_unable(self) -> str:
        """What shows that the key is missing, in one sentence without a full stop."""
        if self.able is None:
            return f"{self.shown}{self.corroboration}"
        if self.documented:
            return f"{self.shown}, although the documented minimum, {self.floor}, is reached"
        return self.shown

    @property
    def corroboration(self) -> str:
        """What the documented minimum says, to follow what is shown; empty where there is none."""
        if not self.floor:
            return ""
        return {
            True: f"; the documented minimum, {self.floor}, is reached",
            False: f"; yet the documented minimum is {self.floor}",
            None: f"; whether it reaches the documented minimum, {self.floor}, cannot be told from "
            "its release: another series, or not numbered as the vendor's kernels are",
        }[self.documented]


def kernel_switch(snapshot: Snapshot, policy: Policy) -> KernelSwitch:
    """What the evidence shows of the running kernel's key.

    Raises:
        GarbledEvidenceError: a section that it needs cannot be read.
    """
    module = snapshot.module
    able, shown = _of_loaded(snapshot) if module.loaded else _of_file(snapshot)
    if able is False and (other := snapshot.census.host.other_switch):
        shown += f" (but another vendor's: {other})"
    if module.origin:
        shown += f"; {module.origin}"
    system = floor_for(snapshot.host.os_id, snapshot.host.os_version)
    floor = policy.floors.get(system, "")
    documented = reaches(snapshot.kernel.release, floor, system) if floor else None
    return KernelSwitch(able, shown, floor, documented)


def update_kernel(boot: NextBoot, found: KernelSwitch) -> str:
    """What brings this host a kernel with the key."""
    if boot.others and boot.have_key:
        return f"Reboot: kernel {boot.others[0].release}, which boots next, has the key"
    since = f", {found.floor} or later," if found.floor else ""
    lacking = next((one.release for one in boot.others if one.lacks_key), "")
    instead = f" instead of {lacking}" if lacking else ""
    return f"Install a kernel that has net.ipv4.vs.run_estimation{since} and boot it{instead}"


def _of_loaded(snapshot: Snapshot) -> tuple[bool | None, str]:
    state, switch = snapshot.module.state, snapshot.census.host
    if switch.raw is not None and snapshot.module.knows_switch is False:
        why = f"{snapshot.module.file}, which the next load takes, does not hold the key's name"
        return False, f"ip_vs is {state} and has the key, but {why}"
    if switch.raw is not None:
        return True, f"ip_vs is {state}, and the kernel has the key"
    if switch.why_unread == "denied":
        return None, f"ip_vs is {state}, and the kernel hides its keys"
    return False, f"ip_vs is {state}, and the kernel has no such key"


def _of_file(snapshot: Snapshot) -> tuple[bool | None, str]:
    module = snapshot.module
    if module.state == "absent":
        return None, "it has no ip_vs"
    if module.state == "unknown" and snapshot.next_boot.modules_gone:
        gone = f"/lib/modules/{snapshot.kernel.release} is gone"
        return None, f"ip_vs is not loaded, and cannot be before the next boot: {gone}"
    holds = {
        True: "holds the key's name",
        False: "does not hold the key's name",
        None: "could not be read",
    }[module.knows_switch]
    return module.knows_switch, f"ip_vs is not loaded; {module.file or 'its module file'} {holds}"
