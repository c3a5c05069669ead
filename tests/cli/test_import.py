"""``ipvs-audit probe`` and ``ipvs-audit import`` with arguments that are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipvs_audit.cli.main import main
from ipvs_audit.probe.printed import Printed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("probe", "--answer-bytes", "2000"), "need --compressed"),
        (("probe", "--compressed", "--command-bytes", "5"), "bytes or more"),
        (("import", "--script", "other", "other"), "--script other: it does not hold a probe"),
        (("import", "--script", "gone", "other"), "--script gone: No such file or directory"),
        (("import", "--script", "probe.sh", "--into", ".", "other"), "name a new directory"),
        (("import", "--script", "probe.sh", "other", "other.txt"), "both are named for the host"),
        (("import", "--script", "probe.sh", "--map", "other", "other"), "other:1: write FILE HOST"),
    ],
)
def test_a_wrong_argument_writes_nothing(
    arguments: tuple[str, ...],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").write_text("hello")
    (tmp_path / "probe.sh").write_bytes(Printed("0" * 32, "2026-11-20T08:00:00.000Z").script())
    assert main(arguments) == 4
    assert why in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


def test_each_printed_probe_has_a_nonce_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe"]) == main(["probe"]) == 0
    first, second = capsys.readouterr().out.split("#!/bin/sh")[1:]
    assert first.splitlines()[1] != second.splitlines()[1]
