"""Who on a host reads IPVS statistics, which stop changing where estimation is off."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from ipvs_audit.model.text import some_of
from ipvs_audit.snapshot.section import number, read_once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.snapshot.section import Section

#: The probe's section.
SECTION = "readers"

Reads = Literal["always", "maybe", "never"]
FoundBy = Literal["comm", "exe", "argument", "unit", "file"]
_VERBS: dict[Reads, str] = {"always": "reads", "maybe": "may read", "never": "does not read"}
#: Readers that a plan names at most; the report names all.
_MOST = 5
_HOW: dict[FoundBy, str] = {
    "comm": "by its name",
    "exe": "by its program",
    "argument": "by its command line",
    "unit": "by its unit or container",
    "file": "by a file that it holds open",
}


@dataclass(frozen=True, slots=True)
class KnownReader:
    """An entry of statistics_readers.toml; what its fields mean is said there."""

    programs: tuple[str, ...]
    reads: Reads
    what: str
    source: str
    title: str = ""
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    defaults_off: tuple[str, ...] = ()


@cache
def known_readers() -> Mapping[str, KnownReader]:
    """The list, by name.

    >>> known_readers()["node_exporter"].reads
    'always'
    """
    text = (files(__package__) / "statistics_readers.toml").read_text("utf-8")
    return {name: _entry(fields) for name, fields in tomllib.loads(text).items()}


def _entry(fields: dict[str, Any]) -> KnownReader:
    plain: dict[str, Any] = {
        key: tuple(one) if isinstance(one, list) else one for key, one in fields.items()
    }
    return KnownReader(**plain)


@dataclass(frozen=True, slots=True)
class StatisticsReader:
    """A process that reads IPVS statistics, or may.

    Attributes:
        name: e.g. ``node_exporter``.
        pid: on the host.
        found_by: what told the probe.
        reads: ``always``, ``maybe`` or ``never``: with its command line taken into account.
        what: what it reads, or why it does not.
    """

    name: str
    pid: int
    found_by: FoundBy
    reads: Reads
    what: str


@dataclass(frozen=True, slots=True)
class StatisticsReaders:
    """What the probe found.

    Attributes:
        found: in the order of the probe.
        gaps: what it could not look at.
    """

    found: tuple[StatisticsReader, ...] = ()
    gaps: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """What a report says of each program: one text for its processes that are alike."""
        pids: dict[tuple[str, Reads, str, FoundBy], list[str]] = {}
        for one in self.found:
            about = (one.name, one.reads, one.what, one.found_by)
            pids.setdefault(about, []).append(str(one.pid))
        return tuple(
            f"{name} (pid {', '.join(numbers)}) {_VERBS[reads]}: {what} (found {_HOW[how]})"
            for (name, reads, what, how), numbers in pids.items()
        )

    @property
    def losing(self) -> str:
        """Who loses something with estimation off, or may, as a clause; empty for nobody."""
        clauses = []
        for reads in ("always", "maybe"):
            names: dict[str, list[str]] = {}
            for one in self.found:
                if one.reads == reads:
                    names.setdefault(one.name, []).append(str(one.pid))
            named = [f"{name} (pid {', '.join(pids)})" for name, pids in names.items()]
            if named:
                verb = "may read" if reads == "maybe" else "reads" if len(named) == 1 else "read"
                clauses.append(f"{some_of(named, _MOST)} {verb} IPVS statistics")
        return ", ".join(clauses)


@read_once
def parse_readers(section: Section) -> StatisticsReaders:
    """Read the section that ``processes.sh`` prints.

    Raises:
        GarbledEvidenceError: it is not whole, a line is not of its form, or a name is not known.
    """
    found, gaps = [], []
    for line in section.whole_lines():
        word, _, rest = line.partition(" ")
        about, *flags = rest.split("\t")
        match word, about.split(" "):
            case "gap", _:
                gaps.append(rest)
            case "reader", [pid, how, program] if how in _HOW and program in _by_program():
                name = _by_program()[program]
                reads, what = _judged(known_readers()[name], flags)
                who = number(section, "a process id", pid)
                title = known_readers()[name].title or name
                found.append(StatisticsReader(title, who, how, reads, what))
            case _:
                raise section.garbled_line(line)
    return StatisticsReaders(tuple(found), tuple(gaps))


def _judged(known: KnownReader, flags: list[str]) -> tuple[Reads, str]:
    """Whether it reads, by its command line, and what or why not."""
    on = [flag for flag in flags if flag in known.on]
    off = [flag for flag in flags if flag in known.off]
    off = off or ([] if on else [flag for flag in flags if flag in known.defaults_off])
    if off:
        return "never", f"switched off ({' '.join(off)})"
    if on and known.reads == "maybe":
        return "always", known.what
    return known.reads, known.what


@cache
def _by_program() -> Mapping[str, str]:
    """The name in the list of each program; of those that the probe tells otherwise, their own."""
    known = known_readers()
    return {each: name for name, one in known.items() for each in one.programs or (name,)}


def probe_words() -> tuple[str, str]:
    """What the probe needs of the list: programs, and words of command lines; by blanks."""
    known = known_readers().values()
    programs = [program for one in known for program in one.programs]
    words = {word for one in known for word in (*one.on, *one.off, *one.defaults_off)}
    return " ".join(programs), " ".join(sorted(words))
