"""The shards of a fleet, audited apart and put together: the same run as the whole."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from program import RECORDINGS, Audit

from ipvs_audit.cli.main import main
from ipvs_audit.model.shard import Shard
from ipvs_audit.report import manifest

COUNT = 2
RECORDED = ("compliant", "drifted", "namespaced", "legacy", "idle")
WAIVERS = """\
waivers:
  - {hosts: drifted-1, control: EST-4, justification: x, ticket: OPS-1, approver: A, expires: 9999-12-31}
  - {hosts: compliant-1, control: EST-1, justification: x, ticket: OPS-2, approver: A, expires: 9999-12-31}
"""  # noqa: E501  # one entry a line


@dataclass(frozen=True)
class Said:
    returncode: int
    stdout: str


def tool(*arguments: str | Path) -> Said:
    """``ipvs-audit``, here: what is tested is not the interpreter's start."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = main(list(map(str, arguments)))
    return Said(status, out.getvalue())


def results(run: Path) -> dict[str, Any]:
    return json.loads((run / "results.json").read_text())  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Fleet:
    """The whole run, the runs of its shards, and what they were made from."""

    whole: Path
    shards: tuple[Path, ...]
    evidence: Path
    inventory: Path
    waivers: Path
    folder: Path


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Ten hosts with evidence, one without, one excluded; an earlier run, and waivers."""
    folder = tmp_path_factory.mktemp("fleet")
    lines = []
    for name in RECORDED:
        line = (RECORDINGS / f"{name}.jsonl").read_text().strip()
        lines += [line.replace(f'"target":"{name}"', f'"target":"{name}-{n}"') for n in (1, 2)]
    failure = {"target": "down", "kind": "unreachable", "message": "down: refused"}
    failure |= dict.fromkeys(("started", "finished"), "2026-11-23T02:00:00.000Z")
    lines.append(json.dumps({"schema": "ipvs-audit/snapshot/1", "failure": failure}))
    evidence = folder / "snapshots.jsonl"
    evidence.write_text("\n".join(lines) + "\n")
    waivers = folder / "waivers.yml"
    waivers.write_text(WAIVERS)
    inventory = folder / "hosts.yml"
    names = [f"{name}-{n}" for n in (1, 2) for name in RECORDED]
    inventory.write_text(
        "all:\n  hosts:\n"
        + "".join(f"    {name}:\n" for name in names)
        + "    down:\n    spare: {ipvs_audit_exclude: in the rack}\n"
    )
    given = ("--from-snapshots", evidence, "--inventory", inventory, "--waivers", waivers)
    before = Audit(folder / "before")(*given[:4], "--limit", "all:!idle-2:!compliant-1")
    compared = (*given, "--baseline", before.latest)
    whole = Audit(folder / "whole")(*compared)
    shards = []
    for number in range(1, COUNT + 1):
        ran = Audit(folder / f"shard-{number}")(
            *compared, "--shard", f"{number}/{COUNT}", "--format", "csv"
        )
        assert ran.status in (0, 1), ran.output
        shards.append(ran.latest.resolve())
    return Fleet(whole.latest.resolve(), tuple(shards), evidence, inventory, waivers, folder)


@pytest.fixture(scope="module")
def merged(fleet: Fleet) -> Path:
    ran = tool("merge", *(one.parent for one in fleet.shards), "--into", fleet.folder / "merged")
    assert ran.returncode == 0, ran.stdout
    assert "12 hosts in the inventory = 10 assessed + 1 unreachable + 1 excluded" in ran.stdout
    return fleet.folder / "merged"


def test_a_host_is_in_the_shard_that_its_name_gives(fleet: Fleet) -> None:
    for number, shard in enumerate(fleet.shards, 1):
        made = results(shard)
        assert {Shard.of(host["name"], COUNT) for host in made["hosts"]} <= {number}
        assert made["run"]["shard"]["total"] == 12
        assert f"This is shard {number}/{COUNT} of a fleet" in " ".join(made["run"]["notes"])


def test_the_shards_together_say_what_the_whole_says(fleet: Fleet, merged: Path) -> None:
    whole, made = results(fleet.whole), results(merged)
    assert made["hosts"] == whole["hosts"]
    for part in (
        *("counts", "controls", "policy", "policy_sha256", "inventory_sha256", "estimation"),
        *("waivers", "waivers_sha256", "version", "versions", "interrupted"),
    ):
        assert made["run"][part] == whole["run"][part], part
    ours, theirs = made["run"]["baseline"], whole["run"]["baseline"]
    assert theirs["appeared"] == ["compliant-1", "idle-2"]
    for part, found in theirs.items():
        key = json.dumps if part in ("newly_failing", "unproven", "still_failing", "fixed") else str
        assert sorted(ours[part], key=key) == sorted(found, key=key), part


def test_a_merged_run_can_be_verified_judged_again_and_rendered(
    fleet: Fleet, merged: Path, tmp_path: Path
) -> None:
    ran = tool("verify", merged)
    assert ran.returncode == 0, ran.stdout
    assert "results: 66 follow from the evidence" in ran.stdout
    again = Audit(tmp_path)("--from-snapshots", merged, "--waivers", fleet.waivers)
    assert again.results["hosts"] == results(fleet.whole)["hosts"]
    rendered = tool("render", merged, "--into", tmp_path / "again")
    assert rendered.returncode == 0, rendered.stdout
    assert merged.stat().st_mode & 0o777 == 0o700
    for path in merged.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path.name
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_every_report_is_there_and_says_that_it_was_merged(merged: Path) -> None:
    assert {"index.html", "report.html", "junit.xml", "results.csv"} <= {
        path.name for path in merged.iterdir()
    }
    assert "Merged from the runs of 2 shards: 12 hosts." in (merged / "index.html").read_text()
    assert (merged / "junit.xml").read_text().count("<testsuite ") == 12
    with gzip.open(merged / "snapshots.jsonl.gz", "rt") as file:
        assert len(file.readlines()) == 11


def test_without_into_it_lands_beside_the_shards_and_is_the_latest(
    fleet: Fleet, tmp_path: Path
) -> None:
    runs = [
        shutil.copytree(one, tmp_path / f"part-{number}") for number, one in enumerate(fleet.shards)
    ]
    ran = tool("merge", *runs)
    assert ran.returncode == 0, ran.stdout
    (made,) = tmp_path.glob("*-merged")
    assert (tmp_path / "latest").resolve() == made.resolve()
    assert results(made)["run"]["id"] == made.name
    again = tool("merge", *runs)
    assert again.returncode == 4
    assert "name another directory with --into" in again.stdout


class TestRefused:
    @pytest.fixture
    def parts(self, fleet: Fleet, tmp_path: Path) -> list[Path]:
        return [
            Path(shutil.copytree(one, tmp_path / f"part-{number}"))
            for number, one in enumerate(fleet.shards)
        ]

    def refused(self, *arguments: str | Path) -> str:
        ran = tool("merge", *arguments)
        assert ran.returncode == 4, ran.stdout
        assert "Traceback" not in ran.stdout
        return ran.stdout

    def test_a_shard_is_missing(self, parts: list[Path], tmp_path: Path) -> None:
        said = self.refused(*parts[1:], "--into", tmp_path / "made")
        assert "shard missing: 1/2" in said
        assert not (tmp_path / "made").exists()

    def test_results_or_evidence_were_changed(self, parts: list[Path], tmp_path: Path) -> None:
        path = parts[0] / "results.json"
        path.write_text(path.read_text().replace('"verdict":"fail"', '"verdict":"pass"'))
        said = self.refused(*parts, "--into", tmp_path / "made")
        assert "results.json: differs from the digest in the manifest" in said
        manifest.write(parts[0])
        said = self.refused(*parts, "--into", tmp_path / "made")
        assert "add up to" in said
        (parts[1] / "snapshots.jsonl.gz").unlink()
        assert "snapshots.jsonl.gz: is missing" in self.refused(*parts[1:])

    def test_a_run_that_is_no_shard_or_no_run(
        self, fleet: Fleet, parts: list[Path], tmp_path: Path
    ) -> None:
        assert "audit each with --shard K/N" in self.refused(fleet.whole, *parts)
        assert "holds no run" in self.refused(tmp_path)
        assert "a directory is named twice" in self.refused(parts[0], parts[0])

    def test_a_run_that_nobody_signed(self, parts: list[Path], tmp_path: Path) -> None:
        (tmp_path / "allowed").write_text("")
        self.refused(*parts, "--allowed-signers", tmp_path / "allowed")


def test_a_shard_without_a_host_has_a_report_and_merges(fleet: Fleet, tmp_path: Path) -> None:
    given = ("--from-snapshots", fleet.evidence, "--inventory", fleet.inventory)
    runs = []
    for number in (1, 2):
        own = Audit(tmp_path / f"own-{number}")
        ran = own(*given, "--limit", "compliant-1", "--shard", f"{number}/2")
        assert ran.status == 0, ran.output
        runs.append(own.reports)
    assert sorted(len(results(run / "latest")["hosts"]) for run in runs) == [0, 1]
    ran = tool("merge", *runs, "--into", tmp_path / "made")
    assert ran.returncode == 0, ran.stdout
    assert tool("verify", tmp_path / "made").returncode == 0
