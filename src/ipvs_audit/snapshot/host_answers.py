r"""What the host's own programs say that they would do, without doing it.

Sources: kmod's ``tools/modprobe.c`` (``print_action``), procps' ``sysctl.c`` (``WriteSetting``),
systemd's ``src/sysctl/sysctl.c`` and ``src/shared/pretty-print.c`` (``cat_files``).

>>> text = "asked show-depends ip_vs\nline install /sbin/modprobe -i ip_vs \nstatus 0\nend\n"
>>> parse_host_answers(Section("asked", "", text, None, 1.0)).load
LoadAnswer(command='/sbin/modprobe -i ip_vs ', file='')
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.config_files import ConfigFile, Line
from ipvs_audit.snapshot.section import Section, number, read_once

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOW_DEPENDS = "show-depends"
_IP_VS = f"{_SHOW_DEPENDS} ip_vs"
_SYSTEM, _CONF = "dry-run --system", "dry-run -p"
_CAT_CONFIG, _HELP = "cat-config", "help"
_NUMBERED = re.compile(r"line ([0-9]{1,9}) (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LoadAnswer:
    """What ``modprobe --show-depends`` says of ip_vs.

    Attributes:
        command: the ``install`` command that a load runs, followed by a blank and the module's
            options; empty for none.
        file: the file that it loads instead of running a command, or ``builtin``; empty for none.
    """

    command: str
    file: str


@dataclass(frozen=True, slots=True)
class SysctlAnswer:
    """What ``sysctl --dry-run`` says.

    Attributes:
        writes: what it would write, in order: the key, dotted as the line spells it, and the
            value. Only of keys that look like it: ``.net.ipv4.vs..run_estimation`` is it as well.
        status: exit status; not 0 where it could not read a file, or a key does not exist.
    """

    writes: tuple[tuple[str, str], ...]
    status: int


@dataclass(frozen=True, slots=True)
class HostAnswers:
    """The answers of one host; what it was not asked is None, and says why.

    Attributes:
        load: of modprobe, for ip_vs itself.
        dependents: the modules that need ip_vs and were loaded, e.g. ``ip_vs_rr``.
        dependent_load: of modprobe, for ip_vs when one of those is loaded.
        files: what systemd-sysctl reads, in its order, with the lines that may concern the key. A
            file that is masked, or holds no such line, has none.
        system, conf: of ``sysctl --dry-run --system`` and ``sysctl --dry-run -p``.
        helps_dry_run: whether ``sysctl --help`` names ``--dry-run``; asked of procps 3.3.17.
        not_asked: question -> why, e.g. ``("dry-run", "this sysctl has none")``.
    """

    load: LoadAnswer | None = None
    dependents: tuple[str, ...] = ()
    dependent_load: LoadAnswer | None = None
    files: tuple[ConfigFile, ...] | None = None
    system: SysctlAnswer | None = None
    conf: SysctlAnswer | None = None
    helps_dry_run: bool | None = None
    not_asked: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Answer:
    """One question's lines, and the exit status; None where the program did not end by itself."""

    lines: tuple[str, ...]
    status: int | None


@read_once
def parse_host_answers(section: Section) -> HostAnswers:
    """The answers, from the probe's section ``asked``.

    A program that failed or ran out of time has given none.

    Raises:
        GarbledEvidenceError: the section is not whole, or a line is not of its form.
    """
    not_asked: list[tuple[str, str]] = []
    answers: dict[str, _Answer] = {}
    for question, lines in _questions(section):
        if question == "none":
            what, _, why = lines[0].partition(" ")
            not_asked.append((what, why))
            continue
        if question in answers:
            raise section.garbled(f"{question[:40]!r} is answered twice")
        answers[question] = _answer(section, lines)
    loads = [name for name in answers if name.startswith(f"{_SHOW_DEPENDS} ") and name != _IP_VS]
    if len(loads) > 1:
        raise section.garbled("it has more than two answers of modprobe")
    known = {_IP_VS, _SYSTEM, _CONF, _CAT_CONFIG, _HELP, *loads}
    if odd := answers.keys() - known:
        raise section.garbled(f"question {min(odd)[:40]!r} is not known")
    for name, answer in answers.items():
        if answer.status is None:
            not_asked.append((name, "it did not end in time, or said too much"))
        elif answer.status and name in (_IP_VS, _CAT_CONFIG, *loads):
            not_asked.append((name, f"it failed with exit status {answer.status}"))
    helped = answers.get(_HELP)
    return HostAnswers(
        load=_load(section, answers.get(_IP_VS)),
        dependents=tuple(loads[0].split()[1:]) if loads else (),
        dependent_load=_load(section, answers.get(loads[0])) if loads else None,
        files=_files(section, answers.get(_CAT_CONFIG)),
        system=_sysctl(section, answers.get(_SYSTEM)),
        conf=_sysctl(section, answers.get(_CONF)),
        helps_dry_run=None if helped is None or helped.status else "dry-run" in helped.lines,
        not_asked=tuple(not_asked),
    )


def _questions(section: Section) -> Iterator[tuple[str, list[str]]]:
    """Each question with its lines."""
    question, lines = "", list[str]()
    for line in section.whole_lines():
        word, _, rest = line.partition(" ")
        if word == "none" and rest:
            yield "none", [rest]
        elif word == "asked" and rest:
            if question:
                yield question, lines
            question, lines = rest, []
        elif question:
            lines.append(line)
        else:
            raise section.garbled_line(line)
    if question:
        yield question, lines


def _answer(section: Section, lines: list[str]) -> _Answer:
    word, _, status = lines[-1].partition(" ") if lines else ("", "", "")
    if word != "status":
        return _Answer(tuple(lines), None)
    code = None if status == "cut" else number(section, "an exit status", status)
    if any(line.startswith("status ") for line in lines[:-1]):
        raise section.garbled("a question has two exit statuses")
    return _Answer(tuple(lines[:-1]), code)


def _load(section: Section, answer: _Answer | None) -> LoadAnswer | None:
    if answer is None or answer.status != 0:
        return None
    command = file = ""
    for line in answer.lines:
        word, _, rest = line.removeprefix("line ").partition(" ")
        if not line.startswith("line ") or word not in ("install", "insmod", "builtin"):
            raise section.garbled(f"line {line[:60]!r} is no answer of modprobe")
        if word == "install":
            command = rest
        else:
            file = rest if word == "insmod" else word
    return LoadAnswer("" if file else command, file)


def _sysctl(section: Section, answer: _Answer | None) -> SysctlAnswer | None:
    if answer is None or answer.status not in (0, 1, 255):
        return None
    writes = []
    for line in answer.lines:
        name, equals, value = line.removeprefix("writes ").partition(" = ")
        if not line.startswith("writes ") or not equals:
            raise section.garbled(f"line {line[:60]!r} is no answer of sysctl")
        writes.append((name, value))
    return SysctlAnswer(tuple(writes), answer.status)


def _files(section: Section, answer: _Answer | None) -> tuple[ConfigFile, ...] | None:
    if answer is None or answer.status != 0:
        return None
    found: list[tuple[str, list[Line]]] = []
    for line in answer.lines:
        numbered = _NUMBERED.fullmatch(line)
        if line.startswith("file /"):
            found.append((line.removeprefix("file "), []))
        elif numbered and found:
            found[-1][1].append(Line(int(numbered[1]), numbered[2]))
        else:
            raise section.garbled(f"line {line[:60]!r} is no answer of systemd-sysctl")
    return tuple(ConfigFile(path, path, -1, -1, 0, -1, "", tuple(lines)) for path, lines in found)
