"""Evidence from answers to a printed probe, which somebody else ran and brought here."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ipvs_audit.audit.evidence_age import recent_enough
from ipvs_audit.audit.host_facts import CLOCK_TOLERANCE
from ipvs_audit.model import limits
from ipvs_audit.model.clock import stamp
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.regular_file import open_regular
from ipvs_audit.probe import script
from ipvs_audit.probe.answers import AnswerError, read_answer
from ipvs_audit.snapshot import (
    IMPORTED,
    CollectionInfo,
    Failure,
    GarbledEvidenceError,
    Section,
    Snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ipvs_audit.probe.printed import Printed

#: Endings that are no part of a host's name.
_ENDINGS = (".txt", ".out", ".answer")


class ImportRefusedError(Exception):
    """The files cannot be imported as they were named; says why and what to do."""


def name_hosts(files: Iterable[Path], names: Mapping[str, str] | None) -> dict[str, Path]:
    """The host that each file answers for.

    Args:
        files: the answers.
        names: file name -> host; None takes the file's name without ``.txt``, ``.out``,
            ``.answer``.

    Raises:
        ImportRefusedError: a host has no name, or two files.
    """
    hosts: dict[str, Path] = {}
    for file in files:
        name = _name(file) if names is None else names.get(file.name)
        if not name:
            raise ImportRefusedError(f"add a line for {file.name} to --map")
        if name in hosts:
            raise ImportRefusedError(
                f"rename one of {hosts[name]} and {file}: both are named for the host {name}"
            )
        hosts[name] = file
    return hosts


def _name(file: Path) -> str:
    ending = next((each for each in _ENDINGS if file.name.endswith(each)), "")
    return file.name.removesuffix(ending) or file.name


def read_map(text: str, where: str) -> dict[str, str]:
    """File name -> host, from lines ``FILE HOST``; a line that begins with ``#`` is a comment.

    Raises:
        ImportRefusedError: a line is something else, or names a file a second time.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:  # noqa: PLR2004
            raise ImportRefusedError(f"{where}:{number}: write FILE HOST, two words")
        if words[0] in names:
            raise ImportRefusedError(f"{where}:{number}: {words[0]} is a duplicate")
        names[words[0]] = words[1]
    return names


def import_answers(
    hosts: Mapping[str, Path], printed: Printed, *, now: datetime, max_age: int | None = None
) -> list[Snapshot | Failure]:
    """The evidence of each host; a failure for a file that is no answer, as of a host of its own.

    Args:
        hosts: name -> file.
        printed: the probe that they answer.
        now: when they are imported.
        max_age: hours; an older answer is a failure. None takes any.
    """
    found: list[Snapshot | Failure] = []
    for name, file in hosts.items():
        try:
            sections = read_answer(_read(file), printed.nonce)
        except (AnswerError, OSError) as error:
            why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            found.append(_failure(name, f"{file}: {why}", now))
        else:
            found.append(Snapshot(name, _collection(file, sections, printed, now), sections))
    policy = Policy(max_age_hours=max_age)
    recent = [recent_enough(one, policy, stamp(now)) for one in found]
    return list(_of_different_boots(recent, hosts, now))


def _read(file: Path) -> bytes:
    with open_regular(file) as raw:
        data = raw.read(limits.ANSWER_FILE + 1)
    if len(data) > limits.ANSWER_FILE:
        raise AnswerError(f"it holds more than {limits.ANSWER_FILE:,} bytes, as no answer does")
    return data


def _failure(name: str, message: str, now: datetime) -> Failure:
    return Failure(name, "protocol", message, stamp(now), stamp(now))


def _collection(
    file: Path, sections: Mapping[str, Section], printed: Printed, now: datetime
) -> CollectionInfo:
    """When the probe ran: by the host's clock where that can be true, else all that is known.

    It ran after it was printed, and before its answer was imported. That is certain.
    """
    begin, end = datetime.fromisoformat(printed.at), now
    with contextlib.suppress(GarbledEvidenceError, KeyError, OverflowError, OSError, ValueError):
        host = sections["host"]
        clock = Snapshot("", _NOWHERE, sections).host.clock
        times = [section.at for section in sections.values()]
        first = datetime.fromtimestamp(clock - (host.at - min(times)), tz=UTC)
        last = datetime.fromtimestamp(clock + 1 + (max(times) - host.at), tz=UTC)
        tolerance = timedelta(seconds=CLOCK_TOLERANCE)
        if begin - tolerance <= first <= last <= end + tolerance:
            begin, end = min(max(begin, first), end), max(min(end, last), begin)
    return CollectionInfo(
        started=stamp(begin),
        finished=stamp(end),
        via=f"{IMPORTED}{file.name}",
        fingerprint="",
        probe=script.digest(),
    )


_NOWHERE = CollectionInfo("", "", "", "", "")


def _of_different_boots(
    evidence: Iterable[Snapshot | Failure], hosts: Mapping[str, Path], now: datetime
) -> Iterator[Snapshot | Failure]:
    """A failure in place of each host whose answer is also another's: one of them is misnamed."""
    evidence = list(evidence)
    by_boot: dict[str, list[str]] = defaultdict(list)
    boots: dict[str, str] = {}
    for one in evidence:
        if isinstance(one, Snapshot):
            with contextlib.suppress(GarbledEvidenceError):
                boots[one.target] = one.host.boot_id
                by_boot[one.host.boot_id].append(one.target)
    for one in evidence:
        boot = boots.get(one.target)
        others = [name for name in by_boot[boot] if name != one.target] if boot else []
        if others:
            yield _failure(
                one.target,
                f"{hosts[one.target]}: remove the one that is misnamed: {hosts[others[0]]} is an"
                " answer of the same machine, since the same boot (boot id)",
                now,
            )
        else:
            yield one
