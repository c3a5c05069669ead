"""A guest as a host to remedy: collected, changed and undone through the access that a run uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from made import verdict

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.target import Target
from ipvs_audit.remedy.host_access import HostConnections
from ipvs_audit.remedy.plan import make_plan
from ipvs_audit.snapshot import Snapshot
from ipvs_audit.transport import Limits
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from lab.guest import Guest

    from ipvs_audit.model.verdict import Result
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.script_answers import ScriptResult

VALUE = "/proc/sys/net/ipv4/vs/run_estimation"
CONTROLS = ("EST-1", "EST-2", "EST-3", "EST-4", "EST-5", "EST-6")
RIGHT = ("pass", "not_applicable")
ETC = "tar -C / --sort=name --numeric-owner -cf - etc | sha256sum"

CONTENTS = (
    r"cd / && find etc -printf '%p %y %m %U %G %l\n' | sort &&"
    " find etc -type f -exec sha256sum {} + | sort"
)


@dataclass
class Remedied:
    """One guest, and the policy that holds for it."""

    guest: Guest
    policy: Policy = field(default_factory=Policy)
    runs: int = 0
    deadline: float = 600

    def access(self, run: str) -> HostConnections:
        target = Target(
            self.guest.name,
            address="127.0.0.1",
            port=self.guest.port,
            user="root",
            key_file=str(self.guest.client_key),
        )
        settings = Settings(
            Limits(connect=240, deadline=self.deadline), known_hosts=(self.guest.known_hosts,)
        )
        name = self.guest.name
        return HostConnections({name: target}, {name: self.policy}, settings, run, "tests")

    def collect(self) -> Snapshot:
        evidence = self.access("collect").collect(self.guest.name)
        assert isinstance(evidence, Snapshot), evidence
        return evidence

    def plan(self, evidence: Snapshot | None = None) -> Plan:
        return make_plan(evidence or self.collect(), self.policy)

    def apply(self, made: Plan) -> ScriptResult:
        self.runs += 1
        return self.access(f"r{self.runs}").apply(self.guest.name, made)

    def undo(self, run: str = "") -> ScriptResult:
        return self.access(run or f"r{self.runs}").undo(self.guest.name)

    def results(self, evidence: Snapshot) -> dict[str, Result]:
        return {name: verdict(name, evidence, self.policy) for name in CONTROLS}

    def verdicts(self, evidence: Snapshot) -> dict[str, str]:
        return {name: one.verdict.value for name, one in self.results(evidence).items()}

    def etc(self) -> str:
        return self.guest.ssh(ETC).stdout

    def contents(self) -> str:
        """All of /etc but for times: type, mode, owner, link, and content by its sha256."""
        return self.guest.ssh(CONTENTS).stdout

    def value(self) -> str:
        return self.guest.ssh(f"cat {VALUE}").stdout.strip()

    def reloaded(self) -> str:
        """The value after ip_vs was taken out and loaded anew."""
        self.guest.ssh(
            "systemctl stop 'lab-traffic*' lab-namespaces; ip -all netns delete; ipvsadm -C; "
            "for _ in 1 2 3 4 5 6 7 8 9 10; do modprobe -r ip_vs_rr ip_vs && break; sleep 1; done; "
            "modprobe ip_vs",
        )
        return self.value()

    def all_right(self, evidence: Snapshot) -> dict[str, Any]:
        """The controls that do not pass; empty where all do."""
        return {name: one for name, one in self.verdicts(evidence).items() if one not in RIGHT}
