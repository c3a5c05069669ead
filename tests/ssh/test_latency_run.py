"""``--latency`` as a user types it, against a real sshd, and what stays of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openssh import Server

ROOT = Path(__file__).parents[2]
PYTEST = Path(sys.executable).with_name("pytest")


def audit(reports: Path, *arguments: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        [PYTEST, "--reports", reports, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env=os.environ | {"COLUMNS": "100"},
    )
    latest = reports / "latest"
    assert (latest / "results.json").exists(), done.stdout + done.stderr
    return json.loads((latest / "results.json").read_text())  # type: ignore[no-any-return]


def judged(results: dict[str, Any]) -> list[dict[str, str]]:
    return [{one["id"]: one["verdict"] for one in host["controls"]} for host in results["hosts"]]


MINE = """\
from ipvs_audit.controls.control import control


@control("MY-1", "passwd", severity="low", source="house rules", fix="Restore it.")
def test_passwd(snapshot, policy, assessment, host):
    assessment.expect("a passwd file")
    assert host.file("/etc/passwd").exists
    assert host.run("exit 3").rc == 3
"""


def test_est_7_is_there_only_where_it_was_asked_for(sshd: Server, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        json.dumps(
            {
                "all": {
                    "hosts": {
                        "web1": {
                            "ansible_host": "127.0.0.1",
                            "ansible_port": sshd.port,
                            "ansible_ssh_private_key_file": str(sshd.user_key),
                        },
                        "web2": {
                            "ansible_host": "127.0.0.1",
                            "ansible_port": sshd.port,
                            "ansible_ssh_private_key_file": str(sshd.user_key),
                            "ipvs_audit_transport": "openssh",
                        },
                        "down": {"ansible_host": "127.0.0.1", "ansible_port": 1},
                    }
                }
            }
        )
    )
    (tmp_path / "known").write_text(sshd.known())
    policy = tmp_path / "policy.yml"
    policy.write_text("latency_seconds: 10\nlatency_spikes: 20\nlatency_spike_ms: 1000\n")
    reached = [
        *("--inventory", inventory, "--policy", policy, "--known-hosts", tmp_path / "known"),
        *("--ssh-config", "/dev/null"),
    ]

    # All of it over OpenSSH's client, with a check of one's own that uses ``host``.
    mine = tmp_path / "test_mine.py"
    mine.write_text(MINE)
    without = audit(tmp_path / "without", *reached, "--transport", "openssh", "checks", mine)
    assert [host["MY-1"] for host in judged(without)] == ["pass", "pass", "error"]
    assert without["hosts"][0]["facts"]["reached"].endswith(" by OpenSSH")
    assert all("EST-7" not in host for host in judged(without))
    assert all(host["latency"] is None for host in without["hosts"])

    asked = audit(tmp_path / "asked", *reached, "--latency", "--latency-trace", "-n", "2")
    up, up_by_openssh, down = judged(asked)
    # A machine with too much else to do stands still itself, and says so.
    assert up["EST-7"] in ("pass", "inconclusive")
    assert up_by_openssh["EST-7"] in ("pass", "inconclusive")
    assert down["EST-7"] == "error"
    assert asked["hosts"][2]["latency"] is None
    for numbers in (asked["hosts"][1]["latency"], asked["hosts"][0]["latency"]):
        assert numbers["via"] == "ssh"
        assert numbers["n"] > 1000
        assert 0 < numbers["p50"] <= numbers["p99"] <= numbers["p999"] <= numbers["max"]
        # Of this kernel nobody knows what it lets be traced: it says why it was not asked.
        assert numbers["trace"]["unseen"] or numbers["trace"]["runs"] > 0
        assert numbers["trace"]["left"] == []

    (judgement,) = [one for one in asked["hosts"][0]["controls"] if one["id"] == "EST-7"]
    assert "the estimator" in judgement["observed"]

    run = tmp_path / "asked" / "latest"
    told = ET.parse(run / "junit.xml").find(".//property[@name='latency p50 ms']")  # noqa: S314
    assert told is not None
    assert float(told.attrib["value"]) == round(1000 * numbers["p50"], 3)
    page = (run / "index.html").read_text()
    assert "<h4>Latency</h4>" in page
    assert page.count('<svg class="trace"') == 2
    assert '<th scope="row">the estimator itself</th>' in page
    trace = ET.parse(run / "junit.xml").findall(".//property")  # noqa: S314
    assert any(one.attrib["name"].startswith("latency trace") for one in trace)

    # The saved evidence gives the same, and verify says so.
    again = audit(tmp_path / "again", "--from-snapshots", run, "--policy", policy)
    assert judged(again) == judged(asked)
    assert again["hosts"][0]["latency"] == numbers
    verified = subprocess.run(
        [sys.executable, "-m", "ipvs_audit", "verify", run],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout


def test_a_trace_without_round_trips_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTEST, "--reports", tmp_path, "--latency-trace"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert "give both" in done.stderr
    assert not list(tmp_path.iterdir())
