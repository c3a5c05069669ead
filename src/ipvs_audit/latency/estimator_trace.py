"""Timing the estimator's own runs on a host that was just measured.

Whatever goes wrong here is said in the section; it neither ends a run nor costs the round trips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.latency import estimator_script
from ipvs_audit.model.limits import (
    ESTIMATOR_TRACE,
    ESTIMATOR_TRACE_OUTPUT,
    ESTIMATOR_TRACE_OVERRUN,
)
from ipvs_audit.probe import framing
from ipvs_audit.probe.script import new_nonce
from ipvs_audit.snapshot import estimator_runs
from ipvs_audit.snapshot.errors import GarbledEvidenceError
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.message_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.snapshot import Section, Snapshot
    from ipvs_audit.transport import Connection, Output

#: Seconds until the script is given up.
TIMEOUT = ESTIMATOR_TRACE + ESTIMATOR_TRACE_OVERRUN
#: What to say where the script's end was not seen: it undoes what it wrote by itself.
UNSEEN_END = (
    "; what it set up is removed automatically, or by the next --latency-trace: see"
    " /sys/kernel/tracing/instances/ipvs_audit_*"
)


def with_runs(evidence: Snapshot, connect: Callable[[], Connection]) -> Snapshot:
    """The snapshot with the estimator's runs, or with why they were not seen. Raises nothing.

    Args:
        evidence: the host's evidence.
        connect: gives a connection on which no script runs.
    """
    end = ""
    try:
        connection = connect()
        nonce = new_nonce()
        end = UNSEEN_END
        output = connection.run_script(
            estimator_script.render(nonce), timeout=TIMEOUT, max_output=ESTIMATOR_TRACE_OUTPUT
        )
        return evidence.with_sections(_read(output, nonce))
    except TransportError as why:
        return _refused(evidence, why.message + end)
    except GarbledEvidenceError as why:
        return _refused(evidence, f"{why}{end}")
    except Exception as error:  # noqa: BLE001  # one host's surprise must not end the run
        return _refused(evidence, one_line(f"unforeseen {type(error).__name__}: {error}") + end)


def unmeasured(evidence: Snapshot) -> Snapshot:
    """The snapshot of a host whose round trips were not measured to the end."""
    return _refused(evidence, "the round trips were not measured to the end")


def _read(output: Output, nonce: str) -> Section:
    """The script's section, known to be readable.

    Raises:
        TransportError: it did not come whole.
        GarbledEvidenceError: it is not what the script prints.
    """
    sections = framing.parse(output.stdout, nonce, stderr=output.stderr)
    section = sections.get(estimator_runs.SECTION)
    if section is None:
        raise GarbledEvidenceError(estimator_runs.SECTION, "the host did not bring it")
    estimator_runs.parse(section)
    return section


def _refused(evidence: Snapshot, why: str) -> Snapshot:
    return evidence.with_sections(estimator_runs.refusal(why))
