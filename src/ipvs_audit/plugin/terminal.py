"""What the audit shows at pytest's terminal, also once that is gone."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from ipvs_audit.model.text import counted
from ipvs_audit.plugin.pytest_internals import put_output, terminal_output

if TYPE_CHECKING:
    from typing import TextIO

    import pytest
    from rich.console import Console

    from ipvs_audit.audit.session import AuditSession


def encodable_by(stream: TextIO, text: str) -> str:
    r"""The text as a stream can write it: ``\xNN`` or ``\uNNNN`` for what its encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text if text.isascii() else text.encode(encoding, "backslashreplace").decode(encoding)


class UntilGone:
    """A stream whose reader may go away: a closed terminal, ``| head``, the ``tee`` of a Ctrl-C.

    What is written then goes to /dev/null: it must not end a run that has to report what it did.
    Nor must a character that the terminal's encoding lacks: an escape stands for it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As the stream does."""
        try:
            return self._stream.write(encodable_by(self._stream, text))
        except OSError:
            self._leave()
            return len(text)

    def flush(self) -> None:
        """As the stream does."""
        try:
            self._stream.flush()
        except OSError:
            self._leave()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # the stream's own
        return getattr(self._stream, name)

    def _leave(self) -> None:
        """Python writes what it has buffered once more at its end, and would exit with 120."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def survive_lost_output(config: pytest.Config) -> None:
    """Let the run go on when nobody reads its output any more."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        put_output(reporter, UntilGone(terminal_output(reporter)))


def console_of(config: pytest.Config) -> Console:
    """Where pytest's own output goes."""
    from rich.console import Console  # noqa: PLC0415  # a mistyped inventory needs none

    reporter = config.pluginmanager.getplugin("terminalreporter")
    out = terminal_output(reporter) if reporter is not None else sys.stderr
    width = shutil.get_terminal_size((100, 24)).columns
    return Console(file=out, width=None if out.isatty() else width)


def header(audit: AuditSession) -> str:
    """The line under pytest's own header: who is audited, and for what."""
    source = (
        f"saved evidence in {audit.options.snapshots}"
        if audit.options.snapshots
        else ", ".join(audit.inventory.sources)
    )
    excluded = sum(target.excluded is not None for target in audit.targets.values())
    return (
        f"ipvs-audit: {len(audit.audited)} of {counted(audit.inventory.total, 'host')}"
        f" from {source}"
        + (f", {excluded} excluded" if excluded else "")
        + f"; IPVS estimation must be {audit.policy.estimation}"
        + "".join(f"\nipvs-audit: {warning}" for warning in audit.inventory.warnings)
    )
