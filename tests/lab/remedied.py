"""A guest as a host to remedy: looked at, changed and undone through the door that a run uses."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipvs_audit.policy import Policy
from ipvs_audit.remedy.door import LiveDoor
from ipvs_audit.remedy.plan import plan
from ipvs_audit.snapshot import Snapshot
from ipvs_audit.targets import Target
from ipvs_audit.transport import Limits
from ipvs_audit.transport.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from made import verdict

if TYPE_CHECKING:
    from lab.guest import Guest

    from ipvs_audit.remedy.apply import Report
    from ipvs_audit.remedy.steps import Plan
    from ipvs_audit.verdicts import Result

VALUE = "/proc/sys/net/ipv4/vs/run_estimation"
CONTROLS = ("EST-1", "EST-2", "EST-3", "EST-4", "EST-5", "EST-6")
RIGHT = ("pass", "not_applicable")
ETC = "tar -C / --sort=name --numeric-owner -cf - etc | sha256sum"


@dataclass
class Remedied:
    """One guest, and the policy that holds for it."""

    guest: Guest
    policy: Policy = field(default_factory=Policy)
    runs: int = 0
    deadline: float = 120

    def door(self, run: str) -> LiveDoor:
        target = Target(
            self.guest.name,
            address="127.0.0.1",
            port=self.guest.port,
            user="root",
            key_file=str(self.guest.client_key),
        )
        settings = Settings(
            Limits(connect=30, deadline=self.deadline), known_hosts=(self.guest.known_hosts,)
        )
        name = self.guest.name
        return LiveDoor({name: target}, {name: self.policy}, settings, run, "tests")

    def look(self) -> Snapshot:
        taken = self.door("look").look(self.guest.name)
        assert isinstance(taken, Snapshot), taken
        return taken

    def plan(self, taken: Snapshot | None = None) -> Plan:
        return plan(taken or self.look(), self.policy)

    def apply(self, made: Plan) -> Report:
        self.runs += 1
        return self.door(f"r{self.runs}").apply(self.guest.name, made)

    def undo(self, run: str = "") -> Report:
        return self.door(run or f"r{self.runs}").undo(self.guest.name)

    def results(self, taken: Snapshot) -> dict[str, Result]:
        return {name: verdict(name, taken, self.policy) for name in CONTROLS}

    def verdicts(self, taken: Snapshot) -> dict[str, str]:
        return {name: one.verdict.value for name, one in self.results(taken).items()}

    def etc(self) -> str:
        return self.guest.ssh(ETC).stdout

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

    def all_right(self, taken: Snapshot) -> dict[str, Any]:
        """The controls that do not pass; empty where all do."""
        return {name: one for name, one in self.verdicts(taken).items() if one not in RIGHT}
