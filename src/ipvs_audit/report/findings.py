"""Findings by cause: what fails for the same reason on many hosts is one finding.

The reason is the message without what is the host's own: its names and addresses, inodes, process
ids, container ids, measured numbers. What tells causes apart stays: paths, line numbers, values,
kernel releases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.report.summary import Standing, standing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import HostResult, Run
    from ipvs_audit.model.verdict import Result

#: What stands where something of a host's own stood.
GAP = "…"
_QUIET = frozenset({Standing.PASS, Standing.NOT_APPLICABLE, Standing.NOT_JUDGED, Standing.EXCLUDED})
_ORDER = {one: place for place, one in enumerate(Standing)}
_HARDNESS = {"high": 0, "medium": 1, "low": 2}
#: A message longer than this is a cause of its own by its head.
_HEAD = 2_000

_OWN = re.compile(
    r"\bSHA256:[A-Za-z0-9+/=]{20,}"  # key fingerprints
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # UUIDs
    r"|\b(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b"  # container and machine ids
    r"|\[?\b(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{1,4}\b\]?(?::\d+)?"  # IPv6
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"  # IPv4
    r"|(?<=\binode )\d+|(?<=\bnet:\[)\d+|(?<=\bpid )\d+|(?<=/proc/)\d+",
    re.IGNORECASE,
)
_MEASURED = re.compile(
    r"\b\d[\d,.]*(?=\s*(?:s|ms|packets?|bytes|connections|services?|characters)\b)"
    r"|(?:\b\d+ -> \d+)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, and the hosts that share it.

    Attributes:
        number: place among the run's findings, from 1.
        stands: fail, error, inconclusive or waived.
        about: the control; None where the host could not be asked for any.
        severity: the worst that the policy gives it on one of the hosts.
        message: the reason, :data:`GAP` where hosts differ.
        waiver: where it stands waived.
        hosts: names, in the order of the run.
    """

    number: int
    stands: Standing
    about: Control | None
    severity: str
    message: str
    waiver: str
    hosts: tuple[str, ...]


def cause(host: HostResult, result: Result) -> str:
    """A result's message without what is the host's own."""
    text = (result.message or result.observed)[:_HEAD]
    for name in _names(host):
        if name in text:
            text = re.sub(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", GAP, text)
    return _MEASURED.sub(GAP, _OWN.sub(GAP, text))


def _names(host: HostResult) -> list[str]:
    names = {host.name, host.id, host.facts.get("host name", "")}
    names |= {name.partition(".")[0] for name in names}
    # A short name may be a word of the message, e.g. a host named "host".
    return sorted(
        (name for name in names if len(name) > 1 and not name.isdecimal()), key=len, reverse=True
    )


def findings(run: Run) -> tuple[Finding, ...]:
    """What fails, could not be judged, is inconclusive or waived: the worst and widest first.

    An unreachable host says the same for each control; it stands here once, without a control.
    """
    abouts = {about.id: about for about in run.controls}
    found: dict[tuple[str, ...], list[tuple[HostResult, Result]]] = {}
    for host in run.hosts:
        for result in _told(host):
            stands = standing(result)
            if stands not in _QUIET:
                control = "" if host.state == "unreachable" else result.control
                waiver = (result.waiver or "") if stands is Standing.WAIVED else ""
                key = (stands.value, control, cause(host, result), waiver)
                found.setdefault(key, []).append((host, result))
    ordered = sorted(found.items(), key=_rank)
    return tuple(
        Finding(
            number=number,
            stands=Standing(stands),
            about=abouts.get(control),
            severity=_severity(result for _, result in shared),
            message=_message(reason, [result for _, result in shared]),
            waiver=waiver,
            hosts=tuple(host.name for host, _ in shared),
        )
        for number, ((stands, control, reason, waiver), shared) in enumerate(ordered, 1)
    )


def _told(host: HostResult) -> tuple[Result, ...]:
    return host.controls[:1] if host.state == "unreachable" else host.controls


def _rank(
    entry: tuple[tuple[str, ...], list[tuple[HostResult, Result]]],
) -> tuple[int, int, int, tuple[str, ...]]:
    key, shared = entry
    hardness = _HARDNESS.get(_severity(result for _, result in shared), 1)
    return _ORDER[Standing(key[0])], hardness, -len(shared), key


def _severity(results: Iterable[Result]) -> str:
    return min((one.severity for one in results), key=lambda word: _HARDNESS.get(word, 1))


def _message(reason: str, results: list[Result]) -> str:
    """The whole message where all say the same, else what they share."""
    messages = {one.message or one.observed for one in results}
    return messages.pop() if len(messages) == 1 else reason
