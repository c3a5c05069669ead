"""index.html and its style.css: the page an auditor reads, prints and signs.

Plain and static: complete without JavaScript, no inline style, nothing from elsewhere, so that
it stands whole under Jenkins' content policy (``default-src 'none'; style-src 'self'``).
Every string passes :func:`~ipvs_audit.report.sanitise.visible` and Jinja's escaping on its way.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ipvs_audit.report.html_view import Fleet, evidence_shown, span, utc
from ipvs_audit.report.sanitise import visible
from ipvs_audit.report.summary import Standing, headline, tally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.results import Run

_TEMPLATES = Path(__file__).parent / "templates"
#: Shapes that the page draws; a standing without one of its own borrows.
_SHAPES = {standing: standing.value for standing in Standing} | {
    Standing.NOT_JUDGED: "not_applicable",
    Standing.EXCLUDED: "not_applicable",
}


def write(run: Run, directory: Path, *, files: tuple[str, ...] = ()) -> None:
    """Write the pages: index.html, style.css, and hosts-001.html ... for a large fleet.

    Args:
        run: what was found.
        directory: where the pages go.
        files: names of the run's other files, which index.html links.

    Raises:
        OSError: a file cannot be written.
    """
    environment = _environment()
    fleet = Fleet.of(run)
    shared = {"run": run, "fleet": fleet, "headline": headline(run)}
    index = environment.get_template("index.html")
    _write(index.generate(**shared, tally=tally(run), files=files), directory / "index.html")
    hosts = environment.get_template("hosts.html")
    for page in fleet.pages:
        _write(hosts.generate(**shared, page=page), directory / page.name)
    shutil.copyfile(_TEMPLATES / "style.css", directory / "style.css")


def _write(parts: Iterable[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(parts)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["utc"] = utc
    environment.filters["shown"] = evidence_shown
    environment.globals["span"] = span
    environment.globals["shapes"] = _SHAPES
    return environment


def _finalize(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value
