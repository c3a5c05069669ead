"""Audits that collect with several processes, through real servers: the same as with one."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openssh import ME, Server, Start, public, wait_until

from ipvs_audit.probe.processes import CollectingProcesses
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import Limits
from ipvs_audit.transport.connect import open_connection

ROOT = Path(__file__).parents[2]
RECORDED = Path(__file__).with_name("recorded_answer.py")
DRIFTED = ROOT / "tests" / "recordings" / "drifted.jsonl"
ANSWERS = f"ForceCommand {sys.executable} -I {RECORDED} {DRIFTED}"


def inventory(path: Path, server: Server, hosts: int) -> Path:
    names = "".join(f"    host{number}:\n" for number in range(hosts))
    path.write_text(
        f"all:\n  hosts:\n{names}    refused: {{ansible_port: 1}}\n  vars:\n"
        f"    ansible_host: 127.0.0.1\n    ansible_port: {server.port}\n    ansible_user: {ME}\n"
        f"    ansible_ssh_private_key_file: {server.user_key}\n"
    )
    return path


def audit(folder: Path, *arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("pytest"),
            *("--reports", folder / "reports", "-o", f"cache_dir={folder}/cache"),
            *map(str, arguments),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def told(folder: Path) -> dict[str, Any]:
    """What a report says of each host, without times."""
    results = json.loads((folder / "reports" / "latest" / "results.json").read_text())
    text = re.sub(r"\d+\.\d+|\d{4}-\d\d-\d\dT[^\"]*", "#", json.dumps(results["hosts"]))
    return {
        host["name"]: (
            host["state"],
            {one["id"]: (one["verdict"], one["message"], one["fix"]) for one in host["controls"]},
        )
        for host in json.loads(text)
    }


def sections(folder: Path) -> dict[str, list[str]]:
    """The sections of the evidence of each host."""
    packed = folder / "reports" / "latest" / "snapshots.jsonl.gz"
    found = [json.loads(line) for line in gzip.decompress(packed.read_bytes()).splitlines()]
    assert len({json.dumps(one) for one in found}) == len(found)
    return {
        one["snapshot"]["target"]: [each["name"] for each in one["snapshot"]["sections"]]
        for one in found
        if "snapshot" in one
    }


def test_the_reports_are_the_same_with_one_two_and_three(start: Start, tmp_path: Path) -> None:
    seen = []
    with start(ANSWERS) as server:
        hosts = inventory(tmp_path / "hosts.yml", server, 7)
        (tmp_path / "known").write_text(server.known())
        for count in ("1", "2", "3"):
            folder = tmp_path / count
            folder.mkdir()
            status, said = audit(
                folder,
                *("--inventory", hosts, "--known-hosts", tmp_path / "known"),
                *("--ssh-config", "/dev/null", "--processes", count, "--forks", "4"),
                *("--connect-timeout", "60"),
            )
            assert status == 1, said
            assert "collected 8 of 8 hosts" in said
            assert "1 unreachable" in said
            seen.append((told(folder), sections(folder)))
    assert set(seen[0][1]) == {f"host{number}" for number in range(7)}
    assert "fail" in str(seen[0][0]["host0"])
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]


def test_new_keys_are_recorded_once_each_by_whichever_process(start: Start, tmp_path: Path) -> None:
    with start(ANSWERS) as server:
        hosts = inventory(tmp_path / "hosts.yml", server, 10)
        config, known = tmp_path / "config", tmp_path / "known"
        config.write_text(f"Host *\n UserKnownHostsFile {known}\n")
        alias = r"\1: {ansible_ssh_common_args: -o HostKeyAlias=\1}"
        hosts.write_text(re.sub(r"(host\d):(?=\n)", alias, hosts.read_text()))
        kind = server.host_keys["ed25519"]
        arguments = (
            *("--inventory", hosts, "--limit", "!refused", "--ssh-config", config),
            *("--processes", "3", "--connect-timeout", "60", "--host-key-policy"),
        )
        for policy in ("accept-new", "strict"):
            status, said = audit(tmp_path, *arguments, policy)
            assert "collected 10 of 10 hosts" in said
            assert "0 unreachable" in said, said
            assert status in (0, 1)
    lines = sorted(known.read_text().splitlines())
    assert lines == sorted(f"host{number} {public(kind)}" for number in range(10))


def test_openssh_clients_of_several_processes_do_not_meet_and_none_is_left(
    start: Start,
) -> None:
    before = set(Path("/tmp").glob("ipvs-audit-*"))  # noqa: S108
    with start(ANSWERS) as server:
        targets = [server.target(f"host{number}") for number in range(8)]
        settings = server.with_known(server.known(), transport="openssh")
        sessions = server.sessions()
        with contextlib.closing(
            CollectingProcesses(
                2, targets, settings=settings, open_connection=open_connection, forks=4
            )
        ) as there:
            evidence = list(there.evidence())
        wrong = [one.message for one in evidence if isinstance(one, Failure)]
        assert wrong == []
        assert wait_until(lambda: server.sessions() <= sessions, 30)
    assert {one.collection.via.rpartition(" ")[2] for one in evidence if isinstance(one, Snapshot)}
    assert wait_until(lambda: not set(Path("/tmp").glob("ipvs-audit-*")) - before, 30)  # noqa: S108


def drain(results: Any, into: list[Any]) -> None:
    for one in results:
        into.append(one)  # noqa: PERF402  # what came before an exception must stay


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_no_session_outlives_a_process_that_is_killed_or_a_run_that_is_interrupted(
    start: Start, room: Path, transport: str
) -> None:
    before = set(Path("/tmp").glob("ipvs-audit-*"))  # noqa: S108
    limits = Limits(connect=60, deadline=120)
    begun = room / f"begun-{transport}"
    begun.mkdir()
    with start(f"ForceCommand touch {begun}/$$; exec sleep 40") as server:
        targets = [server.target(f"host{number}") for number in range(6)]
        settings = server.with_known(server.known(), transport=transport, limits=limits)
        sessions = server.sessions()
        with contextlib.closing(
            CollectingProcesses(
                2, targets, settings=settings, open_connection=open_connection, forks=4, under_way=4
            )
        ) as there:
            assert wait_until(lambda: len(list(begun.iterdir())) == 4, 60)
            os.kill(there._processes[0].pid, signal.SIGKILL)
            results: Any = there.evidence()
            evidence = [next(results), next(results), results.throw(KeyboardInterrupt)]
            with pytest.raises(KeyboardInterrupt):
                drain(results, evidence)
        assert wait_until(lambda: server.sessions() <= sessions, 60)
    assert sorted(one.kind for one in evidence) == ["interrupted"] * 4 + ["protocol"] * 2
    assert sorted(one.target for one in evidence) == [target.name for target in targets]
    assert wait_until(lambda: not set(Path("/tmp").glob("ipvs-audit-*")) - before, 30)  # noqa: S108
