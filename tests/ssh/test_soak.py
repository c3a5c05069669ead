"""A fleet of which a third misbehaves: each host accounted for, in bounded time, nothing left.

The short form runs with the other tests; ``make soak`` runs it with 1,000 hosts.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from misbehaving import WAYS, misbehaving
from openssh import ME, descendants, free_port, wait_until

from ipvs_audit.model import limits
from ipvs_audit.probe import collect_host
from ipvs_audit.probe.collector import collect
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import Limits
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from openssh import Server, Start

HOSTS = int(os.environ.get("IPVS_AUDIT_SOAK_HOSTS", "120"))
FORKS = 64
LIMITS = Limits(connect=4, deadline=10)
ROOT = Path(__file__).parents[2]
#: Of ten hosts, seven are well; the other three take turns.
BAD = (*WAYS, "refuse", "hang", "close")


def census() -> tuple[int, int, int]:
    """Threads, descriptors and child processes of this process."""
    fds = len(list(Path("/proc/self/fd").iterdir()))
    return threading.active_count(), fds, len(descendants(os.getpid()))


@pytest.fixture
def quick_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that answers at once: what is tested is the way there."""

    def render(nonce: Any, **_: Any) -> Any:
        return (f"printf '%s\\n' '{nonce} host - 1.00 4 6' 'echoanswer' '{nonce} end 1'\n").encode()

    monkeypatch.setattr(collect_host.script, "render", render)


def way_of(number: int) -> str:
    return "good" if number % 10 < 7 else BAD[(number // 10 * 3 + number % 10 - 7) % len(BAD)]


@pytest.mark.usefixtures("quick_probe")
def test_a_fleet_of_which_three_in_ten_misbehave(sshd: Server, start: Start) -> None:
    ways = {f"host{number}": way_of(number) for number in range(HOSTS)}
    assert Counter(ways.values())["good"] >= 0.7 * HOSTS
    with (
        start("ForceCommand exec sleep 600") as hanging,
        start("ForceCommand exit 0") as closing,
        misbehaving() as ports,
    ):
        ports |= {"good": sshd.port, "hang": hanging.port, "close": closing.port}
        ports |= {"refuse": free_port()}
        known = sshd.known() + hanging.known() + closing.known()
        settings = sshd.with_known(known, limits=LIMITS)
        targets = [replace(sshd.target(name), port=ports[way]) for name, way in ways.items()]
        before = census()
        sessions = [one.sessions() for one in (sshd, hanging, closing)]
        begun = time.monotonic()
        evidence = list(
            collect(
                targets,
                settings=settings,
                open_connection=open_connection,
                forks=FORKS,
                under_way=limits.HOSTS_PER_FORK * FORKS,
            )
        )
        seconds = time.monotonic() - begun
        assert wait_until(lambda: census() <= before, 20), (before, census())
        for one, had in zip((sshd, hanging, closing), sessions, strict=True):
            assert wait_until(lambda one=one, had=had: one.sessions() <= had, 20), one.port
    assert sorted(each.target for each in evidence) == sorted(ways)
    kinds = Counter(
        (ways[each.target], each.kind if isinstance(each, Failure) else "snapshot")
        for each in evidence
    )
    assert {way for way, kind in kinds if kind == "snapshot"} == {"good"}, kinds
    assert {kind for way, kind in kinds if way == "good"} == {"snapshot"}, kinds
    assert {kind for way, kind in kinds if way == "hang"} == {"timeout"}, kinds
    assert {kind for way, kind in kinds if way == "refuse"} == {"unreachable"}, kinds
    assert {kind for way, kind in kinds if way == "garbage"} == {"protocol"}, kinds
    # Were all of them to hang one behind the other in every fork, it would take no longer.
    assert seconds < math.ceil(HOSTS / FORKS) * (LIMITS.deadline + limits.DEADLINE_OVERRUN)


def test_a_whole_audit_accounts_for_each_and_leaves_no_process(sshd: Server, room: Path) -> None:
    ways = ("good", *WAYS, "refuse")
    inventory, reports = room / "soak.yml", room / "soak-reports"
    with misbehaving() as ports:
        ports |= {"good": sshd.port, "refuse": free_port()}
        inventory.write_text(
            "all:\n  hosts:\n"
            + "".join(f"    {way}: {{ansible_port: {ports[way]}}}\n" for way in ways)
            + f"  vars:\n    ansible_host: 127.0.0.1\n    ansible_user: {ME}\n"
            f"    ansible_ssh_private_key_file: {sshd.user_key}\n"
        )
        (room / "soak-known").write_text(sshd.known())
        before, sessions = descendants(os.getpid()), sshd.sessions()
        done = subprocess.run(
            [
                Path(sys.executable).with_name("pytest"),
                *("--inventory", inventory, "--known-hosts", room / "soak-known"),
                *("--ssh-config", "/dev/null", "--reports", reports),
                *("--connect-timeout", "4", "--deadline", "40"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert wait_until(lambda: descendants(os.getpid()) <= before, 10)
        assert wait_until(lambda: sshd.sessions() <= sessions, 20)
    assert done.returncode == 1, done.stdout
    document = json.loads((reports / "latest" / "results.json").read_text())
    states = {host["name"]: host["state"] for host in document["hosts"]}
    assert states == dict.fromkeys(ways, "unreachable") | {"good": "assessed"}
    assert "7 hosts in the inventory = 1 assessed + 6 unreachable" in done.stdout


@pytest.mark.usefixtures("quick_probe")
def test_no_host_is_lost_to_a_server_that_turns_most_of_them_away(start: Start) -> None:
    count = HOSTS // 2
    with start("MaxStartups 3:50:6") as server:
        settings = replace(server.settings, limits=Limits(connect=30, deadline=90))
        evidence = list(
            collect(
                [server.target(f"host{number}") for number in range(count)],
                settings=settings,
                open_connection=open_connection,
                forks=32,
            )
        )
        log = (server.folder / "log").read_text()
    assert "past MaxStartups" in log, "the server was never too busy: nothing was proved"
    assert [each.message for each in evidence if not isinstance(each, Snapshot)] == []
    assert len({each.target for each in evidence}) == count
