"""A whole audit of hosts in bad faith, beside one that is honest: reports stay valid and inert."""

from __future__ import annotations

import contextlib
import html.parser
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openssh import ME

if TYPE_CHECKING:
    from openssh import Start

ROOT = Path(__file__).parents[2]
WAYS = ("truncated", "garbled", "lengths", "binary", "poisoned", "endless", "hang", "close")
DEADLINE = 25


@dataclass(frozen=True)
class Ran:
    status: int
    output: str
    seconds: float
    folder: Path
    hosts: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def ran(start: Start, room: Path) -> Ran:
    script = room / "hostile.py"
    script.write_bytes(Path(__file__).with_name("hostile.py").read_bytes())
    with contextlib.ExitStack() as running:
        lines, known = ["all:", "  hosts:"], ""
        for way in ("honest", *WAYS):
            forced = [] if way == "honest" else [f"ForceCommand {sys.executable} {script} {way}"]
            server = running.enter_context(start(*forced))
            known += server.known()
            lines.append(f"    {way}: {{ansible_port: {server.port}}}")
        lines += [
            "  vars:",
            "    ansible_host: 127.0.0.1",
            f"    ansible_user: {ME}",
            f"    ansible_ssh_private_key_file: {server.user_key}",
        ]
        (room / "hostile.yml").write_text("\n".join(lines) + "\n")
        (room / "hostile-known").write_text(known)
        began = time.monotonic()
        done = subprocess.run(
            [
                Path(sys.executable).with_name("pytest"),
                *("--inventory", room / "hostile.yml", "--known-hosts", room / "hostile-known"),
                *("--ssh-config", "/dev/null", "--reports", room / "hostile-reports"),
                *("--deadline", str(DEADLINE)),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=180,
            check=False,
        )
        seconds = time.monotonic() - began
    folder = room / "hostile-reports" / "latest"
    assert (folder / "results.json").exists(), done.stdout.decode("utf-8", "replace")
    document = json.loads((folder / "results.json").read_text(encoding="ascii"))
    hosts = {host["name"]: host for host in document["hosts"]}
    return Ran(done.returncode, done.stdout.decode("utf-8"), seconds, folder, hosts)


def verdicts(host: dict[str, Any]) -> set[str]:
    return {one["verdict"] for one in host["controls"]}


def test_the_honest_host_is_not_affected(ran: Ran) -> None:
    assert ran.hosts["honest"]["state"] == "assessed"
    assert "error" not in verdicts(ran.hosts["honest"])


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("truncated", "another length than its header says"),
        ("lengths", "another length than its header says"),
        ("endless", "bytes"),
        ("hang", "within"),
        ("close", "sh did not start"),
    ],
)
def test_a_host_that_does_not_answer_as_the_probe_is_an_error(
    ran: Ran, way: str, says: str
) -> None:
    assert verdicts(ran.hosts[way]) == {"error"}
    assert says in ran.hosts[way]["reason"]


def test_garbled_evidence_is_an_error_or_honestly_judged(ran: Ran) -> None:
    garbled = ran.hosts["garbled"]
    assert "error" in verdicts(garbled)
    assert "pass" not in verdicts(garbled)


@pytest.mark.parametrize("way", ["binary", "poisoned"])
def test_noise_around_and_strings_inside_change_no_verdict(ran: Ran, way: str) -> None:
    def of(name: str) -> list[tuple[str, str]]:
        return [(one["id"], one["verdict"]) for one in ran.hosts[name]["controls"]]

    assert of(way) == of("honest")


def test_the_whole_run_ends_within_the_deadline(ran: Ran) -> None:
    # The one that hangs would take ten minutes; a busy machine may take one to start and report.
    assert ran.seconds < DEADLINE + 120
    assert ran.status == 1


def test_no_control_code_reaches_the_terminal(ran: Ran) -> None:
    assert not [char for char in ran.output if char < " " and char not in "\n\t"]
    assert "\u202e" not in ran.output


class _Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_the_strings_and_runs_none(ran: Ran) -> None:
    page = _Page()
    page.feed((ran.folder / "index.html").read_text(encoding="utf-8"))
    assert "img" not in page.tags
    assert not page.handlers
    assert "<script>alert(1)</script>" in page.text
    assert not [char for char in page.text if char in "\x1b\x00\u202e"]


def test_junit_stays_valid(ran: Ran) -> None:
    schema = ROOT / "tests" / "schemas" / "jenkins-junit-10.xsd"
    checked = subprocess.run(
        ["xmllint", "--noout", "--schema", schema, ran.folder / "junit.xml"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_evidence_can_be_judged_again(ran: Ran, tmp_path: Path) -> None:
    again = subprocess.run(
        [
            Path(sys.executable).with_name("pytest"),
            *("--from-snapshots", ran.folder.resolve(), "--reports", tmp_path),
        ],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert again.returncode == 1
    document = json.loads((tmp_path / "latest" / "results.json").read_text())
    assert {host["name"]: host for host in document["hosts"]} == ran.hosts
