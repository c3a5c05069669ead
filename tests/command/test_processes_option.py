"""``--processes`` from the command line: bad values, a lost process, where one process collects."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pretended_runs import LONG, begin
from program import ROOT
from ran import Ran

if TYPE_CHECKING:
    from program import Audit


OWN = """\
from ipvs_audit.controls.control import control


@control("MY-1", "true", severity="low", source="house rules", fix="Restore it.")
def test_true(snapshot, policy, assessment, host):
    \"\"\"Every host has it.\"\"\"
    assessment.expect("true")
    assert host.run("true").rc == 0
"""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--processes", "0"), "--processes: '0' is not a whole number, 1 to 64"),
        (("--processes", "-1"), "--processes: '-1' is not a whole number, 1 to 64"),
        (("--processes", "two"), "--processes: 'two' is not a whole number, 1 to 64"),
        (("--processes", "65"), "--processes: '65' is not a whole number, 1 to 64"),
        (("--forks=--5",), "--forks: '--5' is not a whole number, 1 or more"),
        (("--processes", "2", "--engine", "dask://127.0.0.1:1"), "remove one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    audit: Audit, inventory: Path, arguments: tuple[str, ...], says: str
) -> None:
    ran = audit("--inventory", inventory, *arguments)
    assert ran.status == 4
    assert says in ran.output
    assert not ran.reports.exists()


def test_without_a_process_that_was_killed_its_hosts_are_errors_and_the_rest_is_as_ever(
    audit: Audit, tmp_path: Path, mute: int
) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(
        "all:\n  hosts:\n"
        + "".join(f"    mute{number}:\n" for number in range(4))
        + f"  vars:\n    ansible_host: 127.0.0.1\n    ansible_port: {mute}\n"
    )
    argv = audit.argv(
        *("--inventory", hosts, "--processes", "2", "--forks", "4", "--connect-timeout", "8")
    )
    process = begin(argv, lambda: connections(mute) == 4)
    first, second = children(process.pid)
    os.kill(first, signal.SIGKILL)
    said = process.communicate(timeout=LONG)[0]
    ran = Ran(process.returncode, said, audit.reports)
    assert ran.status == 1, said
    assert not Path(f"/proc/{second}").exists()
    messages = [host["controls"][0]["message"] for host in ran.results["hosts"]]
    assert {host["state"] for host in ran.results["hosts"]} == {"unreachable"}
    assert len(messages) == 4
    lost = [each for each in messages if "was ended by signal 9 (Killed); audit it again" in each]
    assert len(lost) == 2
    assert any("2 hosts not audited (mute" in note for note in ran.results["run"]["notes"])


def test_checks_that_use_the_host_are_told_of(
    audit: Audit, inventory: Path, tmp_path: Path
) -> None:
    checks = tmp_path / "test_own.py"
    checks.write_text(OWN)
    ours = ("-p", "ipvs_audit.plugin.hooks", "-c", ROOT / "pyproject.toml")
    ran = audit("--inventory", inventory, checks, *ours, "--processes", "2")
    assert "--processes 2: one process collects, since checks that use `host`" in ran.output
    assert ran.status == 1


def test_under_n_one_process_collects(audit: Audit, inventory: Path) -> None:
    ran = audit("--inventory", inventory, "--processes", "2", "-n", "1")
    assert "--processes 2: one process collects, since other threads" in ran.output
    assert ran.status == 1


def connections(port: int) -> int:
    """How many have connected to a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(entry.name))
    return sorted(found)
