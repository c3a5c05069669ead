"""Collecting fleets through one real server: all of them, quickly, and nothing left over."""

from __future__ import annotations

import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openssh import ME, Server, Start, free_port, wait_until

from ipvs_audit.probe import collect_host
from ipvs_audit.probe.collector import collect
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import Connection, Limits
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from ipvs_audit.model.target import Target

HOSTS = int(os.environ.get("IPVS_AUDIT_TEST_HOSTS", "200"))


def fleet(server: Server, count: int) -> list[Target]:
    return [server.target(f"host{number}") for number in range(count)]


def gather(server: Server, targets: Any, **changes: Any) -> list[Snapshot | Failure]:
    changes.setdefault("settings", server.settings)
    return list(collect(targets, open_connection=open_connection, **changes))


@pytest.fixture
def quick_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that prints one whole frame at once: for tests of the way there."""

    def render(nonce: Any, **_: Any) -> Any:
        return (f"printf '%s\\n' '{nonce} host - 1.00 4 6' 'echoanswer' '{nonce} end 1'\n").encode()

    monkeypatch.setattr(collect_host.script, "render", render)


def census() -> tuple[int, int]:
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def nothing_left(before: tuple[int, int]) -> bool:
    """No thread and no descriptor more than before; what an earlier test left may end meanwhile.

    A thread that was connecting when it was abandoned ends with its time limit.
    """
    return wait_until(
        lambda: all(now <= then for now, then in zip(census(), before, strict=True)), 60
    )


def test_two_hundred_hosts_at_sixty_four_a_time(
    sshd: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = Limits(connect=60, deadline=120)
    settings = replace(sshd.settings, limits=limits)
    targets = fleet(sshd, HOSTS)
    before, sessions = census(), sshd.sessions()
    cpu, begun = time.process_time(), time.monotonic()
    evidence = gather(sshd, targets, settings=settings, forks=64)
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    assert sorted(each.target for each in evidence) == sorted(each.name for each in targets)
    wrong = [each for each in evidence if isinstance(each, Failure)]
    assert not wrong, wrong[0].message
    assert nothing_left(before)
    assert wait_until(lambda: sshd.sessions() <= sessions)
    with capsys.disabled():
        rate, spent = HOSTS / seconds, cpu / HOSTS * 1000
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(  # noqa: T201
            f"\n{HOSTS} hosts in {seconds:.1f} s: {rate:.0f} hosts/s, "
            f"{spent:.1f} ms client CPU a host, peak {peak} MiB"
        )


@pytest.mark.usefixtures("quick_probe")
def test_snapshot_tells_how_it_was_taken(sshd: Server) -> None:
    (evidence,) = gather(sshd, fleet(sshd, 1))
    assert isinstance(evidence, Snapshot)
    assert evidence.collection.via.startswith("ssh ")
    assert evidence.collection.fingerprint.startswith("SHA256:")
    assert re.fullmatch(r"[0-9a-f]{12}", evidence.collection.probe)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", evidence.collection.started)
    assert evidence.collection.started <= evidence.collection.finished
    assert evidence.sections["host"].output == "answer"


@pytest.mark.usefixtures("quick_probe")
def test_busy_server_gets_every_host_through_by_backing_off(start: Start) -> None:
    with start("MaxStartups 4:60:8") as server:
        settings = replace(server.settings, limits=Limits(connect=30, deadline=60))
        evidence = gather(server, fleet(server, 60), settings=settings, forks=30)
        log = (server.folder / "log").read_text()
    assert "past MaxStartups" in log, "the server was never too busy: nothing was proved"
    assert [each.message for each in evidence if isinstance(each, Failure)] == []


@pytest.mark.usefixtures("quick_probe")
def test_hosts_that_misbehave_do_not_touch_the_others(sshd: Server) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as mute:
        targets = []
        for number in range(40):
            good = sshd.target(f"good{number}")
            targets.append(
                [
                    good,
                    replace(good, name=f"refused{number}", port=free_port()),
                    replace(good, name=f"mute{number}", port=mute.getsockname()[1]),
                    replace(good, name=f"stranger{number}", user="nobody-of-that-name"),
                ][number % 4]
            )
        settings = replace(sshd.settings, limits=Limits(connect=2, deadline=10))
        before, begun = census(), time.monotonic()
        evidence = {
            each.target: each for each in gather(sshd, targets, settings=settings, forks=16)
        }
        assert time.monotonic() - begun < 15
        assert len(evidence) == 40
        for name, each in evidence.items():
            expected = {"good": None, "refu": "unreachable", "mute": "unreachable"}
            kind = expected.get(name[:4], "authentication")
            assert getattr(each, "kind", None) == kind, each
        assert nothing_left(before)


@pytest.mark.usefixtures("quick_probe")
def test_authentication_is_not_tried_again(sshd: Server) -> None:
    before = (sshd.folder / "log").read_text().count("Connection from")
    gather(sshd, [sshd.target(user="nobody-of-that-name")])
    assert (sshd.folder / "log").read_text().count("Connection from") == before + 1


@pytest.mark.usefixtures("quick_probe")
def test_lost_connection_is_tried_once_more(start: Start, tmp_path: Path) -> None:
    mark = tmp_path / "second"
    # The first session kills its own server process, the second one answers.
    forced = f"""ForceCommand if [ -e {mark} ]; then eval "$SSH_ORIGINAL_COMMAND"; else
 touch {mark}; kill -9 $PPID; fi""".replace("\n", "")
    with start(forced) as server:
        (evidence,) = gather(server, fleet(server, 1))
    assert isinstance(evidence, Snapshot), evidence.message


@pytest.mark.usefixtures("quick_probe")
def test_connection_is_kept_where_it_is_asked_for(sshd: Server) -> None:
    kept = []

    def keep(target: Target, connection: Connection) -> Any:
        if target.name == "host0":
            kept.append(connection)
        return bool(kept) and kept[-1] is connection

    gather(sshd, fleet(sshd, 2), keep=keep)
    (connection,) = kept
    assert connection.run_script(b"echo open", timeout=5, max_output=100).stdout == b"open\n"
    connection.close()


@pytest.mark.parametrize("under_way", [8, 24])
def test_interrupt_ends_the_run_soon_with_every_host_accounted_for(
    sshd: Server, monkeypatch: pytest.MonkeyPatch, under_way: int
) -> None:
    monkeypatch.setattr(
        collect_host.script, "render", lambda _nonce, **_: b"sleep 7.%d; echo" % os.getpid()
    )
    before = census()
    evidence = []
    timer = threading.Timer(1.5, lambda: os.kill(os.getpid(), 2))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        evidence.extend(
            each
            for each in iterate(
                evidence,
                collect(
                    fleet(sshd, 30),
                    settings=sshd.settings,
                    open_connection=open_connection,
                    forks=8,
                    under_way=under_way,
                ),
            )
        )
    assert time.monotonic() - begun < 12
    timer.join()
    assert len(evidence) == 30
    assert {each.kind for each in evidence} == {"interrupted"}
    assert nothing_left(before)


def iterate(into: Any, source: Any) -> Any:
    """Keep what came before an exception; nothing is given on."""
    for each in source:
        into.append(each)
    yield from ()


def test_an_audit_lets_hosts_wait_together_and_connects_to_forks_at_a_time(
    start: Start, room: Path
) -> None:
    inventory, sessions = room / "waiting.yml", room / "waiting-sessions"
    sessions.mkdir()
    # Each session notes how many there are, waits as a sampled host does, and then answers.
    forced = (
        f"ForceCommand cd {sessions}; touch run.$$; ls run.* | wc -l >>counts; sleep 2; rm run.$$;"
        ' eval "$SSH_ORIGINAL_COMMAND"'
    )
    with start(forced) as server:
        inventory.write_text(
            "all:\n  hosts:\n"
            + "".join(f"    host{number}:\n" for number in range(8))
            + f"  vars:\n    ansible_host: 127.0.0.1\n    ansible_port: {server.port}\n"
            f"    ansible_user: {ME}\n    ansible_ssh_private_key_file: {server.user_key}\n"
        )
        (room / "waiting-known").write_text(server.known())
        done = subprocess.run(
            [
                Path(sys.executable).with_name("pytest"),
                *("--inventory", inventory, "--known-hosts", room / "waiting-known"),
                *("--ssh-config", "/dev/null", "--reports", room / "waiting-reports"),
                *("--forks", "1", "--connect-timeout", "30"),
            ],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert "8 hosts in the inventory = 8 assessed" in done.stdout, done.stdout
    assert max(map(int, (sessions / "counts").read_text().split())) > 1
