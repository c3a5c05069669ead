"""Changes to a host over each of the two that speak SSH: carried out, undone, nothing left."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from changing import KEY_FILE, STAND_IN, Box, write

from ipvs_audit.model.policy import Policy
from ipvs_audit.remedy import run_script, script
from ipvs_audit.remedy.host_access import HALT, HostConnections
from ipvs_audit.remedy.plan_steps import Plan
from ipvs_audit.remedy.script_answers import StepOutcome

if TYPE_CHECKING:
    from pathlib import Path

    from openssh import Server

    from ipvs_audit.transport.settings import SshTransport

STEPS = (
    write("/etc/sysctl.conf", b"vm.swappiness = 7\n", b"net.ipv4.vs.run_estimation = 0\n"),
    write("/etc/modprobe.d/ipvs.conf", None, b"install ip_vs true\n" + b"#" * 100_000 + b"\n"),
)

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="changing a host needs root"),
    pytest.mark.parametrize("transport", ["paramiko", "openssh"]),
]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A made-up /etc, which the scripts change in place of the server's own."""
    made = Box(tmp_path)

    class OnTheBox:
        """The scripts, sent to that place."""

        @staticmethod
        def moved(text: bytes) -> bytes:
            text = text.replace(b" /etc/", b" " + os.fsencode(made.root) + b"/etc/")
            return text.replace(KEY_FILE.encode(), STAND_IN.encode())

        @classmethod
        def render_apply(cls, *given: Any, **named: Any) -> bytes:
            return cls.moved(script.render_apply(*given, **named, state=str(made.state)))

        @classmethod
        def render_undo(cls, *given: Any, **named: Any) -> bytes:
            return cls.moved(script.render_undo(*given, **named, state=str(made.state)))

    monkeypatch.setattr(run_script, "script", OnTheBox)
    made.put("etc/sysctl.conf", b"vm.swappiness = 7\n")
    return made


def access(server: Server, transport: SshTransport) -> HostConnections:
    settings = replace(server.settings, transport=transport)
    return HostConnections(
        {"web1": server.target()}, {"web1": Policy()}, settings, "2026-11-23T02-00-00Z", "ops"
    )


def test_a_plan_is_carried_out_and_undone(sshd: Server, box: Box, transport: SshTransport) -> None:
    hosts, before = access(sshd, transport), box.listing(fine=False)
    done = hosts.apply("web1", Plan("web1", steps=STEPS))
    assert done.complete, done
    assert [answer.outcome for answer in done.steps] == [StepOutcome.WRITTEN] * 2
    assert box.path("etc/sysctl.conf").read_bytes() == STEPS[0].after
    assert box.path("etc/modprobe.d/ipvs.conf").read_bytes() == STEPS[1].after
    undone = hosts.undo("web1")
    assert undone.complete, undone
    assert not undone.unsettled, undone
    assert box.listing(fine=False) == before


def test_what_a_script_that_died_left_is_undone(
    sshd: Server, box: Box, transport: SshTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, before = access(sshd, transport), box.listing(fine=False)
    monkeypatch.setenv(HALT, "14")
    done = hosts.apply("web1", Plan("web1", steps=STEPS))
    assert not done.complete
    assert len(done.steps) == 1, done
    assert box.listing(fine=False) != before
    undone = hosts.undo("web1")
    assert not undone.unsettled, undone
    assert box.listing(fine=False) == before
