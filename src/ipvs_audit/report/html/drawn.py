"""The details of hosts, of which much is alike: what is drawn once is kept for the next host."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup, escape

from ipvs_audit.model.sanitise import visible
from ipvs_audit.report.html.view import utc

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from jinja2 import Template

    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import HostResult
    from ipvs_audit.model.verdict import Evidence, Result
    from ipvs_audit.report.html.view import Cell, Fleet, Row
    from ipvs_audit.report.summary import Status

#: Characters of the details that wait for a second page.
MOST_WAITING = 16 * 1024 * 1024
#: Stands for what is a host's own in what many hosts have alike. No text that a page shows holds
#: one: ``visible`` has made it four characters.
_GAP = Markup("\0")
#: The same for the page that holds *Evidence by hand*: none for the page itself.
_PAGE = Markup("\1")


class Drawn:
    """What the templates ask for in place of drawing it again; each cache is bounded."""

    def __init__(
        self, parts: Template, shared: Mapping[str, object], twice: Container[str]
    ) -> None:
        """Draw nothing yet.

        Args:
            parts: parts.html.
            shared: what its macros find by name.
            twice: anchors of the hosts whose details two pages show.
        """
        self._parts = cast("Any", parts.make_module({**shared, "drawn": self}))
        self._twice = twice
        self._waiting: dict[str, Markup] = {}
        self._room = MOST_WAITING
        self._sections: dict[str, tuple[Fleet, Markup]] = {}
        self._fact = lru_cache(maxsize=512)(self._parts.fact)
        self._control_form = lru_cache(maxsize=256)(self._draw_control)
        self._figure_form = lru_cache(maxsize=256)(self._draw_figure)

    def once(self, name: str, fleet: Fleet, draw: Callable[[], Markup]) -> Markup:
        """A section that index.html and report.html have alike: where they show the same fleet."""
        held, made = self._sections.get(name, (None, Markup()))
        if held is not fleet:
            made = draw()
            if not fleet.large:
                self._sections[name] = fleet, made
        return made

    def details(self, row: Row, page: str) -> Markup:
        """All that is said of a host, below its name; its links to commands lead to this page."""
        return self._details(row).replace(_PAGE, escape(page))

    def _details(self, row: Row) -> Markup:
        if (waited := self._waiting.pop(row.anchor, None)) is not None:
            self._room += len(waited)
            return waited
        made: Markup = self._parts.details(row)
        if row.anchor in self._twice and len(made) <= self._room:
            self._room -= len(made)
            self._waiting[row.anchor] = made
        return made

    def facts(self, host: HostResult) -> Markup:
        """What is known of a host, a line each."""
        return _drawn("".join(self._fact(label, text) for label, text in host.facts.items()))

    def controls(self, row: Row) -> Markup:
        """What each control says of a host, and the evidence for it."""
        return _drawn("".join(map(self._control, row.cells)))

    def _control(self, cell: Cell) -> str:
        figures, result = "", cell.result
        if result is not None:
            figures = "".join(map(self._figure, result.evidence))
            result = replace(result, evidence=())
        start, *rest = self._control_form(cell.control, cell.status, result, bool(figures))
        return f"{start}{escape(cell.anchor)}{figures.join(rest)}"

    def _draw_control(
        self, control: Control, status: Status, result: Result | None, proven: bool
    ) -> list[str]:
        evidence = _GAP if proven else ""
        return str(self._parts.control(control, status, result, _GAP, evidence)).split(_GAP)

    def _figure(self, shown: Evidence) -> str:
        about = (shown.section, shown.user, shown.status, shown.output, shown.cut)
        start, between, end = self._figure_form(*about)
        machine, people = _moment(shown.at)
        return f"{start}{machine}{between}{people}{end}"

    def _draw_figure(self, *about: str | int | None) -> list[str]:
        return str(self._parts.evidence(*about, _GAP, _GAP, _PAGE)).split(_GAP)


# A host's evidence is of a few moments.
@lru_cache(maxsize=256)
def _moment(at: str) -> tuple[str, str]:
    """A moment as programs and as people read it, for a page."""
    return str(escape(visible(at))), str(escape(visible(utc(at))))


def _drawn(html: str) -> Markup:
    return Markup(html)  # noqa: S704  # drawn by the templates
