"""A signed run, changed in every way in every file: `verify` finds each of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from program import RECORDINGS, ROOT, Audit

from ipvs_audit.cli import verify
from ipvs_audit.report import manifest

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = "csv,sarif,hdf,prometheus"


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every kind of file, its key's allowed_signers beside it."""
    folder = tmp_path_factory.mktemp("signed")
    lines = [(RECORDINGS / f"{name}.jsonl").read_text() for name in ("compliant", "drifted")]
    (folder / "snapshots.jsonl").write_text("".join(lines))
    key = folder / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True, timeout=20
    )
    (folder / "allowed").write_text(f"ci {key.with_suffix('.pub').read_text()}")
    evidence = ("--from-snapshots", folder / "snapshots.jsonl")
    ran = Audit(folder / "reports")(*evidence, "--format", FORMATS, "--sign", key)
    assert ran.status == 1, ran.output
    return Path(shutil.copytree(ran.latest.resolve(), folder / "run"))


def verified(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    allowed = run.parent / "allowed"
    status = verify.main(
        [str(run), "--allowed-signers", str(allowed), "--checks", str(ROOT / "checks")]
    )
    said = capsys.readouterr()
    return status, said.out + said.err


def flipped(at: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        raw = bytearray(path.read_bytes())
        place = min(int(len(raw) * at), len(raw) - 1)
        raw[place] ^= 1
        path.write_bytes(raw)

    return change


def appended(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def removed(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def words(path: Path) -> list[bytes]:
    return path.read_bytes().split() if path.is_file() else []


CHANGES = {
    **{f"flipped at {at}": flipped(at) for at in (0, 0.31, 0.5, 0.87, 1)},
    "appended": appended,
    "cut": cut,
    "emptied": emptied,
    "removed": removed,
    "a folder": a_folder,
    "a pipe": a_pipe,
    "a link to nothing": a_link_to_nothing,
}


def test_the_run_as_it_was_written_holds(signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = verified(signed, capsys)
    assert status == 0, said
    files = {path.name for path in signed.iterdir()}
    assert {"index.html", "report.html", "style.css", "report.js", "junit.xml"} < files
    assert {"results.csv", "results.sarif", "results.hdf.json", "results.prom"} < files
    assert f"digests: {len(files) - 2} files are those of the manifest" in said
    assert f"reports: {len(files) - 2} files are what results.json gives" in said


def run_id_of(signed: Path) -> str:
    found: str = json.loads((signed / "results.json").read_bytes())["run"]["id"]
    return found


def moved(signed: Path, place: Path) -> Path:
    """The run at another place, with who may sign beside it."""
    shutil.copy(signed.parent / "allowed", place.parent)
    return shutil.copytree(signed, place)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_is_done_to_a_file_is_found(
    change: Callable[[Path], None],
    signed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in sorted(path.name for path in signed.iterdir()):
        run = tmp_path / name / "run"
        shutil.copytree(signed, run)
        shutil.copy(signed.parent / "allowed", run.parent)
        change(run / name)
        if name == manifest.SIGNATURE and words(run / name) == words(signed / name):
            continue  # blanks after a signature's last line are no part of it
        status, said = verified(run, capsys)
        assert status == 1, (name, said)
        assert name in said or manifest.NAME in said or "not signed" in said, (name, said)
        assert "WRONG" in said


@pytest.mark.parametrize("name", ["extra.txt", ".hidden", "index.html ", "snapshots.jsonl", "ä\n"])
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_whatever_is_added_is_found(
    name: str, kind: str, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = moved(signed, tmp_path / "run")
    added = run / name
    if kind == "file":
        added.write_text("")
    elif kind == "folder":
        added.mkdir()
    else:
        added.symlink_to("index.html")
    status, said = verified(run, capsys)
    assert status == 1, said
    assert "is not in the manifest" in said


@pytest.mark.parametrize("name", ["index.html", "junit.xml", "results.csv", "style.css"])
def test_a_report_changed_with_a_manifest_made_anew_is_found_without_a_signature(
    name: str, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(signed, run)
    path = run / name
    path.write_text(path.read_text().replace("fail", "pass"))
    (run / manifest.SIGNATURE).unlink()
    manifest.write(run)
    status = verify.main([str(run), "--checks", str(ROOT / "checks")])
    said = capsys.readouterr().out
    assert status == 1, said
    assert f"{name}: is not what results.json gives" in said


@pytest.mark.parametrize("place", ["2020-01-01T00-00-00Z", "2020-01-01T00-00-00Z-2"])
def test_a_signed_run_in_the_place_of_another_is_found(
    place: str, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = run_id_of(signed)
    status, said = verified(moved(signed, tmp_path / place), capsys)
    assert (status, f"WRONG run: this is {own}, and lies where {place} should" in said) == (1, True)


def test_a_run_under_a_name_that_says_nothing_says_which_it_is(
    signed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = verified(signed, capsys)
    assert (status, f"note  run: this is {run_id_of(signed)}, of 2 hosts" in said) == (0, True)


@pytest.mark.parametrize("more", ["", "-2"])
def test_a_run_in_its_own_place_needs_no_word(
    more: str, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = verified(moved(signed, tmp_path / f"{run_id_of(signed)}{more}"), capsys)
    assert (status, "run: this is" in said) == (0, False)
