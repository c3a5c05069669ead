"""Waivers, comparisons, formats and signatures from the command line; verify and render."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from program import ROOT, Audit

from ipvs_audit.report import manifest

if TYPE_CHECKING:
    from ran import Ran

ENTRY = """\
  - {{hosts: "{}", control: {}, justification: {}, ticket: {}, approver: A. Auditor, expires: {}}}
"""
WAIVERS = "waivers:\n" + "".join(
    ENTRY.format(*one)
    for one in (
        ("drifted", "EST-4", "replaced in December", "OPS-1", "9999-12-31"),
        ("drifted", "EST-2", "x", "OPS-2", "2020-01-01"),
        ("no*", "EST-2", "x", "OPS-3", "9999-01-01"),
        ("all", "EST-1", "x", "OPS-4", "9999-01-01"),
    )
)


def tool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ipvs_audit", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def keys(folder: Path) -> tuple[Path, Path]:
    key, allowed = folder / "key", folder / "allowed_signers"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True, timeout=20
    )
    allowed.write_text(f"ci@example.com {key.with_suffix('.pub').read_text()}")
    return key, allowed


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run with everything, which the tests below copy and change."""
    folder = tmp_path_factory.mktemp("written")
    lines = [
        (ROOT / "tests" / "recordings" / f"{name}.jsonl").read_text().strip()
        for name in ("compliant", "drifted", "namespaced", "legacy", "idle")
    ]
    (folder / "snapshots.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "waivers.yml").write_text(WAIVERS)
    audit = Audit(folder / "reports")
    key, _ = keys(folder)
    os.environ["BUILD_URL"] = "https://ci.example.com/job/ipvs-audit/12/"
    try:
        evidence = ("--from-snapshots", folder / "snapshots.jsonl")
        audit(*evidence, "--limit", "compliant:drifted", "--baseline", "latest")
        return audit(
            *(*evidence, "--waivers", folder / "waivers.yml", "--baseline", "latest"),
            *("--format", "csv,sarif", "--format", "hdf,prometheus", "--junit-split", "2"),
            *("--sign", key, "--waiver-warning-days", "3000000"),
        )
    finally:
        del os.environ["BUILD_URL"]


@pytest.fixture
def run(written: Ran, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written.latest.resolve(), tmp_path / "run"))


class TestWritten:
    def test_a_waived_failure_is_expected_and_stays_a_failure(self, written: Ran) -> None:
        assert written.status == 1
        assert "2 xfailed" in written.output
        assert written.verdicts()["drifted"]["EST-4"] == "fail"
        (drifted,) = (one for one in written.results["hosts"] if one["name"] == "drifted")
        waivers = {one["id"]: one["waiver"] for one in drifted["controls"]}
        assert waivers["EST-4"].startswith("OPS-1: replaced in December (approved by A. Auditor")
        assert waivers["EST-2"] is None
        junit = "".join(path.read_text() for path in written.latest.glob("junit-*.xml"))
        assert junit.count('type="waived fail"') == 2

    def test_every_waiver_is_accounted_for(self, written: Ran) -> None:
        states = {
            one["waiver"]["ticket"]: one["state"] for one in written.results["run"]["waivers"]
        }
        assert states == {
            "OPS-1": "in_force",
            "OPS-2": "expired",
            "OPS-3": "unmatched",
            "OPS-4": "in_force",
        }
        for text in (
            "expires soon",
            "expired on 2020-01-01",
            "no host of this run",
            "not needed on 4",
        ):
            assert text in " ".join(written.output.split())
            assert text in (written.latest / "index.html").read_text()

    def test_it_is_compared_with_the_run_before(self, written: Ran) -> None:
        found = written.results["run"]["baseline"]
        assert set(found["appeared"]) == {"namespaced", "legacy", "idle"}
        assert {(one["host"], one["control"]) for one in found["newly_failing"]} >= {
            ("namespaced", "EST-5"),
            ("legacy", "EST-1"),
        }
        assert {one["host"] for one in found["still_failing"]} == {"drifted"}
        assert f"since {found['id']}:" in written.output

    def test_the_job_and_the_policy_are_told(self, written: Ran) -> None:
        told = written.results["run"]
        assert told["job"] == "https://ci.example.com/job/ipvs-audit/12/"
        assert told["policy"]["sample_seconds"] == 5
        assert f'href="{told["job"]}"' in (written.latest / "index.html").read_text()

    def test_no_baseline_yet_is_said_and_no_error(self, written: Ran) -> None:
        first = min(path for path in written.reports.glob("2*") if path.is_dir())
        assert "no earlier run to compare with" in (first / "index.html").read_text()


class TestBadInput:
    @pytest.mark.parametrize(
        ("option", "value", "says"),
        [
            ("--waivers", "waivers.yml", "waivers.yml:3: expires must be a date"),
            ("--waivers", "none.yml", "none.yml: cannot read the waivers"),
            ("--baseline", "nowhere", "--baseline: nowhere: No such file"),
            (
                "--format",
                "pdf",
                "'pdf' is not a format; formats are csv, sarif, sarif-all, hdf, oscal, prometheus",
            ),
            ("--shard", "3/2", "'3/2' is not a shard"),
            ("--junit-split", "0", "'0' is not a number of hosts"),
            ("--sign", "none.key", "--sign none.key: no such key"),
            ("--sign", "waivers.yml", "ssh-keygen cannot sign with it"),
        ],
    )
    def test_is_exit_4_and_nothing_is_audited(  # noqa: PLR0917  # three are given, three taken
        self, option: str, value: str, says: str, audit: Audit, saved: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "waivers.yml").write_text(WAIVERS.replace("2020-01-01", "01/01/2020"))
        if (tmp_path / value).exists():
            value = str(tmp_path / value)
        ran = audit("--from-snapshots", saved, option, value)
        assert ran.status == 4, ran.output
        assert says in ran.output.replace("\n", " ")
        assert "Traceback" not in ran.output
        assert not ran.reports.exists()


def forged(run: Path, before: str, after: str) -> None:
    """Change results.json, and make a manifest that fits."""
    path = run / "results.json"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    manifest.write(run)


class TestVerify:
    def test_a_run_as_it_was_written_holds(self, run: Path, written: Ran) -> None:
        allowed = written.reports.parent / "allowed_signers"
        ran = tool("verify", run, "--allowed-signers", allowed, "--signer", "ci@example.com")
        assert ran.returncode == 0, ran.stdout
        assert "digests: 13 files are those of the manifest" in ran.stdout
        assert "signature: made by ci@example.com" in ran.stdout
        assert "results: 30 follow from the evidence, evaluated again" in ran.stdout

    def test_a_changed_missing_or_added_file_is_named(self, run: Path) -> None:
        (run / "style.css").write_text("")
        (run / "results.csv").unlink()
        (run / "extra.txt").write_text("")
        ran = tool("verify", run)
        assert ran.returncode == 1
        for trouble in (
            "style.css: was changed after it was written",
            "results.csv: is missing",
            "extra.txt: is not in the manifest",
        ):
            assert trouble in ran.stdout

    @pytest.mark.parametrize(
        ("before", "after", "says"),
        [
            ('"verdict":"pass"', '"verdict":"not_applicable"', "run.counts.verdicts.pass says"),
            ('"fix":"', '"fix":"Do nothing. ', "is not that of its check"),
            ('"observed":"', '"observed":"nearly ', "the evidence gives"),
            ("Debian GNU/Linux 12", "Debian GNU/Linux 13", "its facts are not those"),
            ('"output":"', '"output":"not ', "is not what was collected"),
            ('"name":"legacy"', '"name":"legacx"', "legacx"),
        ],
    )
    def test_results_that_do_not_follow_from_the_evidence_are_found(
        self, before: str, after: str, says: str, run: Path
    ) -> None:
        forged(run, before, after)
        ran = tool("verify", run)
        assert ran.returncode == 1, ran.stdout
        assert says in ran.stdout

    def test_a_failure_turned_into_a_pass_is_found(self, run: Path) -> None:
        path = run / "results.json"
        made = json.loads(path.read_text())
        (drifted,) = (one for one in made["hosts"] if one["name"] == "drifted")
        drifted["controls"][3]["verdict"] = "pass"
        made["run"]["counts"]["verdicts"]["fail"] -= 1
        made["run"]["counts"]["verdicts"]["pass"] += 1
        made["run"]["counts"]["verdicts"]["waived"] -= 1
        path.write_text(json.dumps(made))
        ran = tool("verify", run)
        assert ran.returncode == 1, ran.stdout
        assert "drifted EST-4: verdict is 'pass', the evidence gives 'fail'" in ran.stdout

    def test_a_host_left_out_of_the_results_is_found(self, run: Path) -> None:
        with gzip.open(run / "snapshots.jsonl.gz", "rt") as file:
            lines = file.readlines()
        with gzip.open(run / "snapshots.jsonl.gz", "wt") as file:
            file.writelines([*lines, lines[0].replace('"compliant"', '"extra"')])
        assert "extra: is in the evidence, but not in the results" in tool("verify", run).stdout

    def test_an_unsigned_run_fails_where_a_signature_is_asked_for(
        self, run: Path, written: Ran, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        other.mkdir()
        _, stranger = keys(other)
        ran = tool("verify", run, "--allowed-signers", stranger)
        assert ran.returncode == 1
        assert "was not made by a signer in" in ran.stdout
        (run / "manifest.sha256.sig").unlink()
        ran = tool("verify", run, "--allowed-signers", written.reports.parent / "allowed_signers")
        assert ran.returncode == 1
        assert "the run is not signed" in ran.stdout

    def test_a_manifest_made_anew_breaks_the_signature(self, run: Path, written: Ran) -> None:
        forged(run, "replaced in December", "replaced in January")
        allowed = written.reports.parent / "allowed_signers"
        ran = tool("verify", run, "--allowed-signers", allowed)
        assert ran.returncode == 1
        assert "manifest.sha256.sig: is not valid for ci@example.com" in ran.stdout

    def test_what_cannot_be_looked_at_is_exit_2(self, run: Path, tmp_path: Path) -> None:
        for arguments in ((tmp_path / "none",), (run, "--checks", tmp_path / "none")):
            ran = tool("verify", *arguments)
            assert ran.returncode == 4
            assert "none" in ran.stdout
            assert "Traceback" not in ran.stdout


class TestRender:
    def test_makes_the_same_files_again_and_the_signature_still_holds(
        self, run: Path, written: Ran
    ) -> None:
        before = {path.name: path.read_bytes() for path in run.iterdir()}
        (run / "index.html").unlink()
        (run / "style.css").write_text("spoilt")
        ran = tool("render", run)
        assert ran.returncode == 0, ran.stdout
        assert {path.name: path.read_bytes() for path in run.iterdir()} == before
        allowed = written.reports.parent / "allowed_signers"
        assert tool("verify", run, "--allowed-signers", allowed).returncode == 0

    def test_adds_formats_and_drops_a_signature_that_no_longer_holds(self, run: Path) -> None:
        (run / "results.csv").unlink()
        (run / "results.sarif").unlink()
        ran = tool("render", run, "--format", "csv")
        assert ran.returncode == 0, ran.stdout
        assert (run / "results.csv").exists()
        assert not (run / "results.sarif").exists()
        assert not (run / "manifest.sha256.sig").exists()
        assert "manifest.sha256.sig" not in (run / "index.html").read_text()
        assert tool("verify", run).returncode == 0

    def test_writes_elsewhere_and_leaves_the_run_alone(self, run: Path, tmp_path: Path) -> None:
        before = {path.name: path.read_bytes() for path in run.iterdir()}
        ran = tool("render", run, "--into", tmp_path / "again")
        assert ran.returncode == 0, ran.stdout
        assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == before

    def test_refuses_results_that_were_changed(self, run: Path) -> None:
        path = run / "results.json"
        path.write_text(path.read_text().replace("OPS-1", "OPS-9"))
        ran = tool("render", run)
        assert ran.returncode == 4
        assert "results.json: differs from the digest in the manifest" in ran.stdout


def test_old_evidence_is_said_and_refused_where_it_is_too_old(tmp_path: Path) -> None:
    text = (ROOT / "tests" / "recordings" / "compliant.jsonl").read_text()
    old = re.sub(r'"(started|finished)": ?"20..-..-..T', r'"\1": "2024-01-02T', text)
    (tmp_path / "snapshots.jsonl").write_text(old)
    audit = Audit(tmp_path / "reports")
    evidence = ("--from-snapshots", tmp_path / "snapshots.jsonl")

    ran = audit(*evidence)
    said = re.search(
        r"Compliant: .*, on evidence collected 2024-01-02, [\d,]+ days before this run\.",
        " ".join(ran.output.split()),
    )
    assert said, ran.output
    page = (ran.latest / "index.html").read_text()
    assert "on evidence collected 2024-01-02" in page

    refused = audit(*evidence, "--max-age", "7")
    assert refused.status == 1
    assert set(refused.verdicts()["compliant"].values()) == {"error"}
    assert re.search(r"the evidence is [\d,]+ days old; --max-age is 7 days", refused.output)
    verified = tool("verify", refused.latest.resolve())
    assert verified.returncode == 0, verified.stdout
    assert "results: 6 follow from the evidence" in verified.stdout
    assert audit(*evidence, "--max-age", "7d").status == 4
