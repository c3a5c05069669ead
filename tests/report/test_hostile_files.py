"""Files of a run, or of settings, that a colleague made to hurt: refused by name, soon."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.audit.resume import ResumeError, find_earlier
from ipvs_audit.cli.main import main
from ipvs_audit.model.policy import PolicyError, load_policy
from ipvs_audit.model.waiver_file import WaiverError, load_waivers
from ipvs_audit.remedy.journal import JournalError, read_journal
from ipvs_audit.report import manifest, results_json, signature
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.results_stream import Results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEEP = b"[" * 200_000
#: Ten levels of ten: a billion values in 300 bytes.
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


def head(path: Path) -> None:
    path.write_bytes(b'{"schema":"ipvs-audit/results/1",\n"run":' + DEEP + b',\n"hosts":[\n')
    Results(path)


def whole(path: Path) -> None:
    path.write_bytes(DEEP)
    results_json.load(path)


def journal(path: Path) -> None:
    path.write_bytes(DEEP + b"\n")
    list(read_journal(path))


@pytest.mark.parametrize(
    ("read", "error"), [(head, ReportError), (whole, ReportError), (journal, JournalError)]
)
def test_deep_nesting_is_an_error_that_names_the_file(
    read: Callable[[Path], None], error: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(error, match="evil"):
        read(tmp_path / "evil")


@pytest.mark.parametrize("more", ["waivers: *a9\n", "floors: *a9\n", "x: &x [*x]\nwaivers: *x\n"])
def test_aliases_that_stand_for_a_billion_values_are_refused(more: str, tmp_path: Path) -> None:
    path = tmp_path / "evil.yml"
    path.write_text((LAUGHS if "*a" in more else "") + more)
    with pytest.raises(WaiverError, match=r"evil\.yml: its aliases"):
        load_waivers(path)
    with pytest.raises(PolicyError, match=r"evil\.yml: its aliases"):
        load_policy(path)


def test_aliases_that_save_some_typing_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text(
        "who: &who {justification: x, ticket: OPS-1, approver: A, expires: 9999-12-31}\n"
        "waivers:\n" + "".join(f"- {{<<: *who, hosts: web{n}, control: EST-4}}\n" for n in (1, 2))
    )
    with pytest.raises(WaiverError, match="who"):  # the only key there is waivers
        load_waivers(path)
    path.write_text(
        "waivers:\n"
        "- &one {justification: x, ticket: OPS-1, approver: A, expires: 9999-12-31,"
        " hosts: web1, control: EST-4}\n"
        "- {<<: *one, hosts: web2}\n"
    )
    assert len(load_waivers(path)[0]) == 2


@pytest.mark.parametrize("name", ["results.json", "manifest.sha256", "snapshots.jsonl.gz"])
@pytest.mark.parametrize("command", ["verify", "render", "merge"])
def test_a_pipe_in_a_run_keeps_no_command_waiting(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digests = "".join(f"{'0' * 64}  {each}\n" for each in ("results.json", "snapshots.jsonl.gz"))
    for each, text in (("results.json", ""), ("manifest.sha256", digests)):
        if each != name:
            (tmp_path / each).write_text(text)
    os.mkfifo(tmp_path / name)
    assert main([command, str(tmp_path)]) != 0
    told = capsys.readouterr()
    assert str(tmp_path) in told.err or name in told.out


def test_a_pipe_in_place_of_a_journal_or_of_a_runs_identity_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "journal.jsonl")
    with pytest.raises(JournalError, match="not a regular file"):
        list(read_journal(tmp_path / "journal.jsonl"))
    os.mkfifo(tmp_path / ".run.collecting.json")
    with pytest.raises(ResumeError):
        find_earlier(tmp_path / "run")
    os.mkfifo(tmp_path / "manifest.sha256")
    with pytest.raises(OSError, match="not a regular file"):
        manifest.entries(tmp_path)


@pytest.mark.parametrize(
    ("name", "read", "error"),
    [
        ("policy.yml", load_policy, PolicyError),
        ("waivers.yml", load_waivers, WaiverError),
        ("journal.jsonl", lambda path: list(read_journal(path)), JournalError),
        ("results.json", results_json.load, ReportError),
        (manifest.NAME, lambda path: manifest.entries(path.parent), OSError),
        (manifest.NAME, lambda path: signature.verify(path.parent, path, "ci"), OSError),
        (".x.collecting.json", lambda path: find_earlier(path.parent / "x"), ResumeError),
    ],
)
def test_a_file_larger_than_memory_is_not_read(
    name: str, read: Callable[[Path], object], error: type[Exception], tmp_path: Path
) -> None:
    """One with nothing but a size: it takes no place on the disk."""
    path = tmp_path / name
    (tmp_path / signature.SIGNATURE).touch()
    with path.open("wb") as file:
        file.truncate(1 << 35)
    with pytest.raises(error, match=r"more than|no such run"):
        read(path)
