"""The audit from its command line: exit codes, pytest's own habits, bad input, Ctrl-C."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from program import ROOT, Audit

if TYPE_CHECKING:
    from pathlib import Path

HERE = "all:\n  hosts:\n    here:\n      ansible_connection: local\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    path = tmp_path / "here.yml"
    path.write_text(HERE)
    return path


def judge(audit: Audit, saved: Path, inventory: Path, *more: str) -> object:
    return audit("--from-snapshots", saved, "--inventory", inventory, *more)


class TestExitCode:
    def test_is_0_where_all_hosts_pass(self, audit: Audit, saved: Path, inventory: Path) -> None:
        ran = audit("--from-snapshots", saved, "--inventory", inventory, "--limit", "good")
        assert ran.status == 0, ran.output
        assert set(ran.verdicts()) == {"compliant"}

    def test_is_1_where_one_fails(self, audit: Audit, saved: Path, inventory: Path) -> None:
        ran = audit("--from-snapshots", saved, "--inventory", inventory)
        assert ran.status == 1
        assert ran.verdicts()["drifted"]["EST-4"] == "fail"
        assert re.search(
            r"collected 5 of 5 hosts in [\d.]+ m?s, 3 failing, 0 unreachable", ran.output
        )

    def test_of_an_inconclusive_host_is_0_and_1_with_strict(
        self, audit: Audit, saved: Path, inventory: Path
    ) -> None:
        idle = ("--from-snapshots", saved, "--inventory", inventory, "--limit", "idle")
        assert audit(*idle).status == 0
        strict = audit(*idle, "--strict")
        assert strict.status == 1
        assert strict.verdicts()["idle"]["EST-6"] == "inconclusive"

    def test_is_1_where_a_host_cannot_be_reached(self, audit: Audit, inventory: Path) -> None:
        ran = audit("--inventory", inventory, "--limit", "good")
        assert ran.status == 1
        assert set(ran.verdicts()["compliant"].values()) == {"error"}


class TestBadInput:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            (None, r"hosts2\.yml"),
            ("all:\n  hosts:\n    web1: [\n", r"hosts2\.yml:\d"),
            ("", r"hosts2\.yml"),
        ],
    )
    def test_an_inventory_that_cannot_be_read_is_exit_4_and_names_the_place(
        self, audit: Audit, tmp_path: Path, text: str | None, says: str
    ) -> None:
        path = tmp_path / "hosts2.yml"
        if text is not None:
            path.write_text(text)
        ran = audit("--inventory", path)
        assert ran.status == 4, ran.output
        assert re.search(says, ran.output)
        assert "Traceback" not in ran.output
        assert not ran.reports.exists()

    def test_a_limit_that_matches_nothing_is_exit_4(self, audit: Audit, inventory: Path) -> None:
        ran = audit("--inventory", inventory, "--limit", "nowhere")
        assert (ran.status, ran.reports.exists()) == (4, False)
        assert "nowhere" in ran.output

    def test_a_policy_with_an_unknown_word_is_exit_4(
        self, audit: Audit, here: Path, tmp_path: Path
    ) -> None:
        policy = tmp_path / "policy.yml"
        policy.write_text("estimatoin: disabled\n")
        ran = audit("--inventory", here, "--policy", policy)
        assert ran.status == 4, ran.output
        assert "estimatoin" in ran.output

    def test_evidence_that_cannot_be_read_is_exit_4_and_writes_no_report(
        self, audit: Audit, inventory: Path, tmp_path: Path
    ) -> None:
        broken = tmp_path / "broken.jsonl"
        broken.write_text('{"schema": "something/9"}\n')
        ran = audit("--from-snapshots", broken, "--inventory", inventory)
        assert ran.status == 4, ran.output
        assert "broken.jsonl:1" in ran.output
        assert not list(ran.reports.glob("*"))

    def test_reports_that_cannot_be_written_are_exit_4_before_any_host_is_contacted(
        self, tmp_path: Path, here: Path
    ) -> None:
        in_the_way = tmp_path / "file"
        in_the_way.write_text("")
        ran = Audit(in_the_way / "reports")("--inventory", here)
        assert ran.status == 4, ran.output
        assert "--reports" in ran.output
        assert "collected 1 of 1 host " not in ran.output

    @pytest.mark.skipif(os.getuid() != 0, reason="mounts a small file system: needs root")
    def test_a_full_disk_is_said_and_leaves_no_half_report(
        self, here: Path, tmp_path: Path
    ) -> None:
        small = tmp_path / "small"
        small.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=True, timeout=10
        )
        try:
            (small / "ballast").write_bytes(b"x" * 40_000)
            ran = Audit(small)("--inventory", here)
            assert ran.status not in (0, 1), ran.output
            assert "space" in ran.output
            assert [path.name for path in small.iterdir() if path.is_dir()] == []
            assert not (small / "latest").exists()
        finally:
            subprocess.run(["umount", small], check=True, timeout=10)


class TestPytestsOwnHabits:
    def test_collect_only_contacts_nobody(self, audit: Audit, inventory: Path) -> None:
        ran = audit("--inventory", inventory, "--collect-only", "-q")
        assert ran.status == 0
        assert "test_live_value[compliant]" in ran.output
        assert not ran.reports.exists()

    def test_k_selects_and_the_report_has_what_was_selected(
        self, audit: Audit, saved: Path, inventory: Path
    ) -> None:
        ran = audit("--from-snapshots", saved, "--inventory", inventory, "-k", "live_value")
        assert {tuple(controls) for controls in ran.verdicts().values()} == {("EST-4",)}
        assert len(ran.verdicts()) == 5

    def test_x_stops_and_the_rest_is_not_passed(
        self, audit: Audit, saved: Path, inventory: Path
    ) -> None:
        ran = audit("--from-snapshots", saved, "--inventory", inventory, "-x")
        verdicts = [one for host in ran.verdicts().values() for one in host.values()]
        assert len(verdicts) == 30
        assert verdicts.count("fail") == 1
        assert "error" in verdicts

    def test_lf_judges_what_failed_last(
        self, audit: Audit, saved: Path, inventory: Path, tmp_path: Path
    ) -> None:
        cache = ("-o", f"cache_dir={tmp_path}/cache")
        whole = ("--from-snapshots", saved, "--inventory", inventory, "--limit", "drifted", *cache)
        first = audit(*whole).verdicts()["drifted"]
        record = tmp_path / "cache" / "v" / "cache" / "nodeids"
        assert not record.exists()  # it would grow with each fleet, and be read by each run
        again = audit(*whole, "--lf").verdicts()["drifted"]
        assert again == {control: one for control, one in first.items() if one == "fail"}
        assert again
        assert audit(*whole, "--nf").verdicts()["drifted"] == first
        assert record.exists()

    def test_n_gives_the_same_verdicts(self, audit: Audit, saved: Path, inventory: Path) -> None:
        same = ("--from-snapshots", saved, "--inventory", inventory)
        alone = audit(*same)
        spread = audit(*same, "-n", "2")
        assert spread.status == alone.status
        assert spread.verdicts() == alone.verdicts()
        assert len(spread.verdicts()) == 5

    def test_junitxml_and_html_hold_control_and_verdict(
        self, audit: Audit, saved: Path, inventory: Path, tmp_path: Path
    ) -> None:
        junit, html = tmp_path / "own.xml", tmp_path / "own.html"
        audit(
            "--from-snapshots",
            saved,
            "--inventory",
            inventory,
            f"--junitxml={junit}",
            f"--html={html}",
            "--self-contained-html",
        )
        properties = ET.parse(junit).iter("property")  # noqa: S314  # our own
        told = {(one.get("name"), one.get("value")) for one in properties}
        assert {("control", "EST-4"), ("verdict", "not applicable")} <= told
        assert "EST-6" in html.read_text()


class TestLive:
    def test_this_machine_is_audited(self, audit: Audit, here: Path) -> None:
        ran = audit("--inventory", here)
        assert ran.status in (0, 1)
        assert set(ran.verdicts()["here"]) == {f"EST-{n}" for n in range(1, 7)}

    def test_saved_evidence_gives_the_verdicts_that_the_hosts_gave(
        self, audit: Audit, here: Path
    ) -> None:
        live = audit("--inventory", here)
        run = live.latest.resolve()
        said = live.results["hosts"]
        again = audit("--from-snapshots", run, "--inventory", here)
        assert again.results["hosts"] == said

    def test_every_file_is_in_the_manifest(self, audit: Audit, here: Path) -> None:
        latest = audit("--inventory", here).latest.resolve()
        checked = subprocess.run(
            ["sha256sum", "--check", "--strict", "manifest.sha256"],
            cwd=latest,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        named = {line.split(": ")[0] for line in checked.stdout.splitlines()}
        there = {str(path.relative_to(latest)) for path in latest.rglob("*") if path.is_file()}
        assert named == there - {"manifest.sha256"}

    def test_a_check_of_ones_own_has_testinfras_host(
        self, audit: Audit, here: Path, tmp_path: Path
    ) -> None:
        mine = tmp_path / "test_mine.py"
        mine.write_text(
            '''\
from ipvs_audit.controls.control import control


@control("MY-1", "passwd", severity="low", source="house rules", fix="Restore it.")
def test_passwd(snapshot, policy, assessment, host):
    """Every host has accounts."""
    assessment.expect("a passwd file")
    assert host.file("/etc/passwd").exists
    assert host.run("echo no; exit 3").rc == 0, f"{snapshot.target} does not comply"


def test_plain(host):
    assert host.user("root").exists
'''
        )
        ran = audit(
            "--inventory",
            here,
            mine,
            "-p",
            "ipvs_audit.plugin.hooks",
            "-c",
            ROOT / "pyproject.toml",
        )
        assert ran.status == 1, ran.output
        (result,) = ran.results["hosts"][0]["controls"]
        assert (result["id"], result["verdict"]) == ("MY-1", "fail")
        assert result["message"] == "here does not comply"
        assert "1 failed, 1 passed" in ran.output

    def test_ctrl_c_reports_what_is_known(self, audit: Audit, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            port = mute.getsockname()[1]
            inventory = tmp_path / "mute.yml"
            inventory.write_text(
                HERE + f"    mute: {{ansible_host: 127.0.0.1, ansible_port: {port}}}\n"
            )
            ran = audit.interrupted(
                "--inventory", inventory, "--connect-timeout", "50", after=6, timeout=30
            )
        assert ran.status == 2, ran.output
        assert set(ran.verdicts()["mute"].values()) == {"error"}
        assert "error" not in ran.verdicts()["here"].values()
        assert "nterrupted" in ran.output

    def test_saved_evidence_needs_no_inventory(self, audit: Audit, tmp_path: Path) -> None:
        inventory = tmp_path / "two.yml"
        inventory.write_text(
            "all:\n  children:\n    mine:\n      hosts:\n"
            "        here: {ansible_connection: local, ipvs_audit_ack: true}\n"
            "        away: {ipvs_audit_exclude: in repair}\n"
        )
        live = audit("--inventory", inventory)
        run = live.latest.resolve()
        inventory.unlink()
        again = audit("--from-snapshots", run)
        assert again.results["hosts"] == live.results["hosts"]
        assert again.results["run"]["counts"] == live.results["run"]["counts"]
        assert "2 hosts in the inventory = 1 assessed + 0 unreachable + 1 excluded" in again.output
        none = audit("--from-snapshots", run, "--limit", "mine:!here:!away")
        assert none.status == 4
