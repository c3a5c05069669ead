"""Every exit code of ``ipvs-audit``, and of ``pytest`` running the audit: the numbers are pytest's.

A subcommand gives its own; an audit's is decided in :mod:`ipvs_audit.plugin.run`.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    #: A host fails or could not be evaluated; ``verify``: the run is not what it was.
    FINDINGS = 1
    INTERRUPTED = 2
    #: The reports could not be written.
    NOT_WRITTEN = 3
    #: An argument, or a file that one names, is wrong; no host was contacted.
    USAGE = 4
    #: No check was selected.
    NOTHING_SELECTED = 5


#: For ``--help``.
IN_WORDS = {
    ExitCode.OK: "no host fails; or the subcommand did what was asked",
    ExitCode.FINDINGS: "a host fails or could not be evaluated; verify: the run was changed",
    ExitCode.INTERRUPTED: "interrupted; what was known by then is reported",
    ExitCode.NOT_WRITTEN: "the reports could not be written",
    ExitCode.USAGE: "an argument, or a file that it names, is wrong; no host was contacted",
    ExitCode.NOTHING_SELECTED: "no check was selected",
}
