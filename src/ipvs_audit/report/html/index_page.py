"""index.html: the page an auditor reads, prints and signs; and report.html, the same in one file.

Plain and static: complete without JavaScript, which only adds, no inline style, nothing from
elsewhere, so that it is complete under Jenkins' content policy (``default-src 'none'; style-src
'self'``).
Every string passes :func:`~ipvs_audit.model.sanitise.visible` and Jinja's escaping on its way.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ipvs_audit.model.ci_job import safe_link
from ipvs_audit.model.sanitise import visible
from ipvs_audit.report import latency_text, scores
from ipvs_audit.report.findings import findings
from ipvs_audit.report.html.alone import Alone
from ipvs_audit.report.html.changes import kinds
from ipvs_audit.report.html.compiled_templates import OPTIONS, TEMPLATES, CompiledTemplates
from ipvs_audit.report.html.drawn import Drawn
from ipvs_audit.report.html.latency_plots import pictures
from ipvs_audit.report.html.style import paged_style
from ipvs_audit.report.html.view import Fleet, output_shown, span, utc
from ipvs_audit.report.summary import Status, accounted, collected, headline, tally
from ipvs_audit.snapshot.how_to_read import how_to_read

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ipvs_audit.model.results import Run

#: The page of a large fleet that names every host of every finding and change.
FINDINGS = "findings.html"
#: Hosts that index.html of a large fleet names for each finding and change.
NAMES_SHOWN = 12
#: Shapes that the page draws; a standing without one of its own borrows.
_SHAPES = {status_of: status_of.value for status_of in Status} | {
    Status.NOT_EVALUATED: "not_applicable",
    Status.NOT_SELECTED: "not_applicable",
    Status.EXCLUDED: "not_applicable",
}


def write(run: Run, directory: Path, *, files: tuple[str, ...] = ()) -> None:
    """Write the pages.

    index.html with style.css and report.js; for a large fleet hosts-001.html ... and
    findings.html; and report.html, which is all of it in one file.

    Args:
        run: what was found.
        directory: where the pages go.
        files: names of the run's other files, which index.html links.

    Raises:
        OSError: a file cannot be written.
    """
    environment = page_environment()
    fleet = Fleet.of(run)
    shared = {
        "run": run,
        "headline": headline(run),
        "accounted": accounted(run),
        "collected": collected(run),
        "tally": tally(run),
        "files": files,
        "controls_scored": scores.of_controls(run),
        "groups_scored": scores.of_groups(
            ((group.name, [row.host for row in group.rows]) for group in fleet.groups),
            run.controls,
        ),
        "formula": scores.FORMULA,
        "findings": findings(run),
        "changes": kinds(run.baseline) if run.baseline is not None else (),
        "alone": None,
    }
    alone = Fleet.of(run, alone=True) if fleet.large else fleet
    drawn = Drawn(
        environment.get_template("parts.html"),
        {"pictures": pictures(run, directory), "by_hand": run.by_hand},
        twice={row.anchor for row in alone.detailed},
    )
    environment.globals["drawn"] = drawn
    shown = {"shown": NAMES_SHOWN if fleet.large else None, "fleet": fleet}
    index = environment.get_template("index.html")
    _write(index.generate(**shared, **shown), directory / "index.html")
    for page in fleet.pages:
        hosts = environment.get_template("hosts.html")
        _write(hosts.generate(**shared, **shown, page=page), directory / page.name)
    if fleet.large:
        whole = environment.get_template("findings.html")
        _write(whole.generate(**shared, fleet=fleet, shown=None), directory / FINDINGS)
    style = paged_style(headline(run).claim, f"run {run.id}")
    (directory / "style.css").write_text(style, encoding="ascii", newline="\n")
    shutil.copyfile(TEMPLATES / "report.js", directory / "report.js")
    script = (TEMPLATES / "report.js").read_text()
    shared |= {"alone": Alone.of(style, script), "fleet": alone, "shown": None}
    _write(index.generate(**shared), directory / "report.html")


def _write(parts: Iterable[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(parts)


def page_environment() -> Environment:
    """What renders the templates: every text is made visible and escaped."""
    environment = Environment(
        loader=CompiledTemplates(),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        **OPTIONS,
    )
    environment.filters["utc"] = utc
    environment.filters["link"] = safe_link
    environment.filters["setting"] = _setting
    environment.filters["shown"] = output_shown
    environment.globals["span"] = span
    environment.globals["how_to_read"] = how_to_read
    environment.globals["latency_rows"] = latency_text.rows
    environment.globals["shapes"] = _SHAPES
    environment.globals["statuses"] = Status
    parts: Any = environment.get_template("parts.html").module
    environment.globals["verdicts"] = {status: parts.verdict(status) for status in Status}
    return environment


def _setting(value: object) -> str:
    """A setting of the policy as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items()) or "none"
    if value is None:
        return "none"
    return (
        {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    )


def _finalize(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value
