"""The history as a page: bars for each verdict over the runs, and tables of the same.

It follows the rules of index.html: whole without a script, no inline style, nothing from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ipvs_audit.report.history import SHOWN
from ipvs_audit.report.history_text import day, how_long, time_to_fix
from ipvs_audit.report.html.index_page import page_environment
from ipvs_audit.report.html.style import paged_style

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ipvs_audit.report.history import History, OpenHost, Point
    from ipvs_audit.report.history_runs import LeftOut

#: Runs that the picture draws, the newest; the table has all.
DRAWN = 200
#: Runs up to which the table is not folded, and names up to which a row's are not.
RUNS_SHOWN, NAMES_SHOWN = 30, 40
_STYLE = Path(__file__).parent / "templates" / "history.css"


@dataclass(frozen=True, slots=True)
class Bar:
    """One run: places in percent of the picture, and what it shows in words."""

    x: str
    width: str
    y: str
    height: str
    told: str


@dataclass(frozen=True, slots=True)
class Series:
    """One verdict over the runs, on a scale of its own.

    Attributes:
        status: which.
        now: hosts in the newest run.
        most: hosts in the run that has most: the height of the picture.
    """

    status: str
    word: str
    now: int
    most: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """Hosts that fail the same since the same run, and have the same status now."""

    first: OpenHost
    names: tuple[str, ...]
    long: str

    @property
    def folded(self) -> bool:
        """Whether the names are shown only when they are asked for."""
        return len(self.names) > NAMES_SHOWN


def files(
    history: History, left_out: Sequence[LeftOut], linked: Collection[str]
) -> Mapping[str, str]:
    """index.html, and style.css in ASCII: their texts.

    Args:
        history: of at least one run.
        left_out: the runs that do not count.
        linked: directories of the runs that have a page of their own, beside that of this page.
    """
    newest = history.points[-1]
    template = page_environment().get_template("history.html")
    text = template.render(
        points=history.points,
        newest=newest,
        shown=SHOWN,
        drawn=min(DRAWN, len(history.points)),
        series=series(history.points[-DRAWN:]),
        newly=history.newly_failing,
        fixed=history.fixed,
        failing=alike(history.failing, newest),
        unseen=alike(history.not_seen_fixed, newest),
        time_to_fix=time_to_fix(history),
        left_out=left_out,
        day=day,
        folded=len(history.points) > RUNS_SHOWN,
        links={place: f"../{quote(place)}/index.html" for place in linked},
    )
    style = paged_style("History", f"up to run {newest.place}") + _STYLE.read_text("ascii")
    return {"index.html": text, "style.css": style}


def series(points: Sequence[Point]) -> tuple[Series, ...]:
    """Every verdict that some run has; a run with one host of thousands still shows a bar."""
    made = []
    for status in SHOWN:
        if most := max(point.hosts[status] for point in points):
            bars = []
            for number, point in enumerate(points):
                if count := point.hosts[status]:
                    height = max(100 * count / most, 4)
                    bars.append(
                        Bar(
                            f"{100 * number / len(points):.3f}%",
                            f"{85 / len(points):.3f}%",
                            f"{100 - height:.2f}%",
                            f"{height:.2f}%",
                            f"{day(point.started)}: {count:,} {status.word}",
                        )
                    )
            now = points[-1].hosts[status]
            made.append(Series(status.value, status.word, now, most, tuple(bars)))
    return tuple(made)


def alike(hosts: Sequence[OpenHost], newest: Point) -> tuple[Alike, ...]:
    """One row for hosts that share all but their names, in the order given."""
    found: dict[object, list[OpenHost]] = {}
    for one in hosts:
        key = one.since.number, one.last.number, one.controls, one.status, one.earlier
        found.setdefault(key, []).append(one)
    return tuple(
        Alike(same[0], tuple(one.name for one in same), how_long(same[0], newest))
        for same in found.values()
    )
