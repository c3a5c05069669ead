"""The terminal that an audit writes to."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from ipvs_audit.plugin.terminal import UntilGone


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", b"gr\\xf6\\xdfe \\u65e5"), ("latin-1", b"gr\xf6\xdfe \\u65e5"), ("utf-8", None)],
)
def test_a_character_that_the_terminal_lacks_ends_no_run(
    encoding: str, shown: bytes | None
) -> None:
    """It ended a rollout with hosts under way, and no report."""
    raw = io.BytesIO()
    out = UntilGone(io.TextIOWrapper(raw, encoding=encoding))
    Console(file=out, width=80).print(Text("größe 日"))  # type: ignore[arg-type]
    out.flush()
    assert raw.getvalue().strip() == (shown or "größe 日".encode())
