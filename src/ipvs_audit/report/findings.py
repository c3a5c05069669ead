"""Findings by cause: what fails for the same reason on many hosts is one finding.

The reason is the message without what is the host's own: its names and addresses, inodes, process
ids, container ids, measured numbers. What tells causes apart stays: paths, line numbers, values,
kernel releases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ipvs_audit.model.results import HostState
from ipvs_audit.report.summary import QUIET, Status, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import HostResult, Run
    from ipvs_audit.model.verdict import Result

#: What replaces text that differs between hosts.
GAP = "…"
_QUIET = QUIET | {Status.NOT_EVALUATED}
_ORDER = {one: place for place, one in enumerate(Status)}
_SEVERITY = {"high": 0, "medium": 1, "low": 2}
#: A message longer than this is a cause of its own by its head.
_HEAD = 2_000

_OWN = re.compile(
    r"\bSHA256:[A-Za-z0-9+/=]{20,}"  # key fingerprints
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # UUIDs
    r"|\b(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b"  # container and machine ids
    r"|\[?\b(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{1,4}\b\]?(?::\d+)?"  # IPv6
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"  # IPv4
    # the server and its key, as transports name them in an error
    r"|(?<=@)[\w.-]+:\d+(?=: )|(?<=\bssh-keyscan )(?:-p \d+ )?\S+|(?<=\bssh-keygen -R ')[^']+"
    r"|(?<= does not hold )\S+(?=\))|(?<=\boffered )[\w@.-]+(?= SHA256:)"
    r"|(?<=\binode )\d+|(?<=\bnet:\[)\d+|(?<=\bpid )\d+|(?<=/proc/)\d+"
    r"|(?<=\bipvs-e:)\d+:\d+|(?<=\bthe evidence is )\d[\d,]*",
    re.IGNORECASE,
)
_MEASURED = re.compile(
    r"\b\d[\d,.]*(?=\s*(?:s|ms|packets?|bytes|connections|services?|characters)\b)"
    r"|(?:\b\d+ -> \d+)"
)


class _Key(NamedTuple):
    """What results of one finding share."""

    status: Status
    control: str
    cause: str
    waiver: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, and the hosts that share it.

    Attributes:
        number: place among the run's findings, from 1.
        status: fail, error, inconclusive or waived.
        control: None where the host could not be reached, which concerns every control.
        severity: the worst that the policy gives it on one of the hosts.
        message: the reason, :data:`GAP` where hosts differ.
        fix: what puts these hosts right; the control's own where they differ in it. Empty unless
            they fail.
        waiver: the waiver that covers it; empty for none.
        hosts: names, in the order of the run.
    """

    number: int
    status: Status
    control: Control | None
    severity: str
    message: str
    fix: str
    waiver: str
    hosts: tuple[str, ...]


def cause(host: HostResult, result: Result) -> str:
    """A result's message without what is the host's own."""
    return _shared(host, result.message or result.observed)


def _shared(host: HostResult, text: str) -> str:
    text = text[:_HEAD]
    for name in _names(host):
        if name in text:
            text = re.sub(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", GAP, text)
    return _without_figures(text)


# Most of what is left is the same words on many hosts.
@lru_cache(maxsize=256)
def _without_figures(text: str) -> str:
    return _MEASURED.sub(GAP, _OWN.sub(GAP, text))


def _names(host: HostResult) -> list[str]:
    names = {host.name, host.id, host.facts.get("host name", "")}
    names |= {name.partition(".")[0] for name in names}
    # A short name may be a word of the message, e.g. a host named "host".
    return sorted(
        (name for name in names if len(name) > 1 and not name.isdecimal()), key=len, reverse=True
    )


def findings(run: Run) -> tuple[Finding, ...]:
    """What fails, could not be evaluated, is inconclusive or waived: the worst and widest first.

    An unreachable host says the same for each control; it is listed once, without a control.
    """
    controls = {control.id: control for control in run.controls}
    found: dict[_Key, list[tuple[HostResult, Result]]] = {}
    for host in run.hosts:
        # An unreachable host says the same for each control: once is enough.
        unreachable = host.state is HostState.UNREACHABLE
        for result in host.controls[:1] if unreachable else host.controls:
            status = status_of(result)
            if status not in _QUIET:
                waiver = (result.waiver or "") if status is Status.WAIVED else ""
                control_id = "" if unreachable else result.control
                key = _Key(status, control_id, cause(host, result), waiver)
                found.setdefault(key, []).append((host, result))
    ordered = sorted(found.items(), key=_rank)
    return tuple(
        Finding(
            number=number,
            status=key.status,
            control=controls.get(key.control),
            severity=_severity(result for _, result in shared),
            message=_message(key.cause, [result for _, result in shared]),
            fix=_fix(controls.get(key.control), shared),
            waiver=key.waiver,
            hosts=tuple(host.name for host, _ in shared),
        )
        for number, (key, shared) in enumerate(ordered, 1)
    )


def _rank(
    entry: tuple[_Key, list[tuple[HostResult, Result]]],
) -> tuple[int, int, int, tuple[str, ...]]:
    key, shared = entry
    severity = _SEVERITY.get(_severity(result for _, result in shared), 1)
    return _ORDER[key.status], severity, -len(shared), key


def _severity(results: Iterable[Result]) -> str:
    return min((one.severity for one in results), key=lambda word: _SEVERITY.get(word, 1))


def _message(reason: str, results: list[Result]) -> str:
    """The whole message where all say the same, else what they share."""
    messages = {one.message or one.observed for one in results}
    return messages.pop() if len(messages) == 1 else reason


def _fix(control: Control | None, shared: list[tuple[HostResult, Result]]) -> str:
    if len(shared) == 1:
        return shared[0][1].fix
    whole = {result.fix_by_hand for _, result in shared}
    if len(whole) == 1:
        return whole.pop()
    fixes = {_shared(host, result.fix_by_hand) for host, result in shared}
    if len(fixes) == 1:
        return fixes.pop()
    return control.fix if control else ""
