"""The page of a history: written whole or not at all, and over nothing but an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.html.history_page import files
from ipvs_audit.report.write import put, staged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ipvs_audit.report.history import History
    from ipvs_audit.report.history_runs import LeftOut

#: What tells such a page from others: in the head of templates/history.html.
_OURS = b'<meta name="generator" content="ipvs-audit history">'
_FILES = frozenset({"index.html", "style.css"})


def write_history(
    history: History, left_out: Sequence[LeftOut], runs: Path, into: Path, mode: int | None
) -> None:
    """Write index.html and style.css.

    Args:
        history: of at least one run.
        left_out: the runs that do not count.
        runs: the directory that holds the runs; they are linked where the page lies in it.
        into: a new directory, or one that holds an earlier such page.
        mode: of the files; None is their owner's alone.

    Raises:
        OSError: what is there cannot be read.
        ReportError: something else has the name, or it cannot be written.
    """
    _refuse_others(into)
    beside = into.resolve().parent == runs.resolve()
    linked = [
        point.place
        for point in history.points
        if beside and (runs / point.place / "index.html").exists()
    ]
    with staged(into, mode) as staging:
        for name, text in files(history, left_out, linked).items():
            (staging / name).write_text(text, encoding="utf-8", newline="\n")
        put(staging, into, mode)


def _refuse_others(into: Path) -> None:
    if not into.exists() and not into.is_symlink():
        return
    ours = into.is_dir() and not into.is_symlink()
    names = {path.name for path in into.iterdir()} if ours else {"?"}
    page = into / "index.html"
    if names and not (names <= _FILES and page.is_file() and _OURS in page.read_bytes()[:4096]):
        raise ReportError(
            f"name another directory with --into: {into} exists, and holds something else than the"
            " page of a history"
        )
