"""Collecting on the workers of a real Dask cluster, one of which is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from openssh import ME, wait_until
from pydantic import SecretStr

from ipvs_audit.audit.engine import EngineError, dask_address, engine, refuse_plain_secrets
from ipvs_audit.model.target import Become, Target
from ipvs_audit.probe.collector import collect
from ipvs_audit.snapshot import Failure
from ipvs_audit.transport import Limits
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openssh import Start

ROOT = Path(__file__).parents[2]
DASK = Path(sys.executable).with_name("dask")
QUIET = {
    "DASK_DISTRIBUTED__WORKER__DAEMON": "True",
    "DASK_DISTRIBUTED__DASHBOARD__LINK": "",
}


@dataclass(frozen=True)
class Cluster:
    address: str
    workers: tuple[subprocess.Popen[bytes], ...]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and two workers with four threads each, on loopback, ended by their pids."""
    folder = tmp_path_factory.mktemp("dask")
    told = folder / "scheduler.json"
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        with (folder / f"log-{len(started)}").open("wb") as log:
            process = subprocess.Popen(
                [DASK, *arguments, "--no-dashboard"],
                stdout=log,
                stderr=log,
                cwd=folder,
                env=os.environ | QUIET,
            )
        started.append(process)
        return process

    try:
        run("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(told))
        assert wait_until(told.exists, 60), (folder / "log-0").read_text()
        address = json.loads(told.read_text())["address"].replace("tcp://", "dask://")
        workers = tuple(
            run(
                *("worker", "--scheduler-file", str(told), "--host", "127.0.0.1"),
                *("--nthreads", "4", "--no-nanny", "--local-directory", str(folder / name)),
            )
            for name in ("one", "two")
        )
        yield Cluster(address, workers)
    finally:
        for process in reversed(started):
            process.kill()
            process.wait(20)


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client  # noqa: PLC0415  # slow to import

    with Client(dask_address(address), set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def test_a_lost_worker_costs_no_host(cluster: Cluster, start: Start) -> None:
    wait_for_workers(cluster.address, 2)
    slow = """ForceCommand sleep 2; eval "$SSH_ORIGINAL_COMMAND\""""
    with start(slow) as server:
        targets = [server.target(f"host{number}") for number in range(24)]
        settings = replace(server.settings, limits=Limits(connect=30, deadline=60))
        evidence = []
        with engine(cluster.address, 64, 60) as where:
            assert where.forks == 8
            assert "2 Dask workers, 8 hosts at a time" in where.note
            for one in collect(
                targets,
                settings=settings,
                open_connection=open_connection,
                forks=where.forks,
                executor=where.executor,
                overrun=where.overrun,
            ):
                evidence.append(one)
                if len(evidence) == 2:
                    # The other worker has hosts under way: each takes two seconds.
                    os.kill(cluster.workers[0].pid, signal.SIGKILL)
                    cluster.workers[0].wait(20)
    assert sorted(one.target for one in evidence) == sorted(target.name for target in targets)
    assert [one.message for one in evidence if isinstance(one, Failure)] == []


def test_a_whole_audit_on_the_worker_that_is_left(
    cluster: Cluster, start: Start, tmp_path: Path
) -> None:
    with start() as server:
        (tmp_path / "known").write_text(server.known())
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(
            f"all:\n  hosts:\n    over: {{ansible_host: 127.0.0.1, ansible_port: {server.port}, "
            f"ansible_user: {ME}, ansible_ssh_private_key_file: {server.user_key}}}\n"
            "    refused: {ansible_host: 127.0.0.1, ansible_port: 1}\n"
        )
        done = subprocess.run(
            [
                Path(sys.executable).with_name("pytest"),
                *("--engine", cluster.address, "--inventory", inventory),
                *("--known-hosts", tmp_path / "known", "--ssh-config", "/dev/null"),
                *("--reports", tmp_path / "reports"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert done.returncode == 1, done.stdout
    document = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    states = {host["name"]: host["state"] for host in document["hosts"]}
    assert states == {"over": "assessed", "refused": "unreachable"}
    assert any("Dask workers" in note for note in document["run"]["notes"])


def test_a_scheduler_that_is_not_there_is_said_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipvs_audit.model.limits.ENGINE_TIMEOUT", 1)
    begun = time.monotonic()
    with (
        pytest.raises(EngineError, match="the scheduler cannot be reached"),
        engine("dask://127.0.0.1:1", 8, 60),
    ):
        pass
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    "text",
    ["", "dask", "dask://", "dask://host", "tcp://host:1", "dask://host:x", "dask://u:p@host:1"],
)
def test_what_is_no_engine_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="give dask://HOST:PORT"):
        dask_address(text)


@pytest.mark.parametrize(
    "target",
    [
        Target("web1", password=SecretStr("x")),
        Target("web1", become=Become(password=SecretStr("x"))),
    ],
)
def test_passwords_travel_only_by_tls_or_not_at_all(target: Target) -> None:
    for fine in ("dask://127.0.0.1:1", "dask://[::1]:1", "dask://localhost:1", "dask+tls://far:1"):
        refuse_plain_secrets(fine, [target])
    refuse_plain_secrets("dask://far:1", [Target("web2"), Target("web3", become=Become())])
    with pytest.raises(EngineError, match=r"has passwords \(1 hosts, web1 first\)"):
        refuse_plain_secrets("dask://10.0.0.5:8786", [Target("web2"), target])
