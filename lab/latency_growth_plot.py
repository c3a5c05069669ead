"""Draws how the estimator's run time grows, for docs/latency.md: an SVG that stands alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH, HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 520, 30, 330
_SERVICES = (700, 23000)
_RUNS = (0.0003, 0.5)
_MARKS = {0.001: "1 ms", 0.01: "10 ms", 0.1: "100 ms"}
_STYLE = (
    "text{font:12px sans-serif;fill:#444}.m{text-anchor:middle}.e{text-anchor:end}"
    ".g{stroke:#ddd}.f{stroke:#777;stroke-dasharray:5 4}.g,.f,.p{fill:none}"
    ".p{stroke:#1d4f91;stroke-width:1.8}.r{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}.r{fill:#15171a}.g{stroke:#333}"
    ".f{stroke:#999}.p{stroke:#8fb8ee}}"
)
_SHAPES = ("M-4 -4h8v8h-8z", "M0 -5l5 9h-10z", "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0")


@dataclass(frozen=True)
class Point:
    """What one guest with so many services showed; times are seconds, None for no run or spike."""

    services: int
    cpus: int
    run: float | None
    """The shortest of the timer's runs: the one that others on this machine disturbed least."""
    median: float | None
    """The median of them."""
    spike: float | None
    """The median height of the highest spikes, as many as there were runs."""
    period: float | None
    """Where the spikes come at the estimator's period."""
    p999: float | None


def draw(points: Sequence[Point], cost: float) -> str:
    """Runs by services, a line for each number of possible CPUs, and the fitted cost dashed.

    Args:
        points: what was seen.
        cost: seconds per service and CPU.
    """
    title = "The estimator's run by services and possible CPUs"
    description = "; ".join(
        f"{one.services} services x {one.cpus} CPUs: {1000 * one.run:.1f} ms"
        for one in points
        if one.run
    )
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{title}</title><desc>{description}</desc><style>{_STYLE}</style>",
        f'<rect class="r" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text x="{_LEFT}" y="18">{title} (dashed: {cost * 1e9:.0f} ns each)</text>',
        *_grid(sorted({one.services for one in points})),
    ]
    for number, cpus in enumerate(sorted({one.cpus for one in points})):
        here = [(one.services, one.run) for one in points if one.cpus == cpus and one.run]
        drawn += _line(here, cpus, _SHAPES[number % len(_SHAPES)], cost)
    return "\n".join([*drawn, "</svg>", ""])


def _grid(services: Sequence[int]) -> Iterator[str]:
    for run, words in _MARKS.items():
        yield f'<path class="g" d="M{_LEFT} {_y(run):.1f}H{_RIGHT}"/>'
        yield f'<text class="e" x="{_LEFT - 8}" y="{_y(run) + 4:.1f}">{words}</text>'
    for count in services:
        yield f'<path class="g" d="M{_x(count):.1f} {_TOP}V{_BOTTOM}"/>'
        yield f'<text class="m" x="{_x(count):.1f}" y="{_BOTTOM + 18}">{count:,}</text>'
    yield f'<text class="m" x="{(_LEFT + _RIGHT) / 2}" y="{_BOTTOM + 38}">IPVS services</text>'


def _line(here: Sequence[tuple[int, float]], cpus: int, shape: str, cost: float) -> Iterator[str]:
    if not here:
        return
    steps = "L".join(f"{_x(count):.1f} {_y(run):.1f}" for count, run in here)
    yield f'<path class="p" d="M{steps}"/>'
    for count, run in here:
        place = f"translate({_x(count):.1f} {_y(run):.1f})"
        yield f'<path class="p r" transform="{place}" d="{shape}"/>'
    first, last = here[0][0], here[-1][0]
    fitted = [(count, count * cpus * cost) for count in (first, last)]
    steps = "L".join(f"{_x(count):.1f} {_y(run):.1f}" for count, run in fitted)
    yield f'<path class="f" d="M{steps}"/>'
    yield f'<text x="{_x(last) + 12:.1f}" y="{_y(here[-1][1]) + 4:.1f}">{cpus} possible CPUs</text>'


def _x(services: float) -> float:
    return _along(services, *_SERVICES) * (_RIGHT - _LEFT) + _LEFT


def _y(run: float) -> float:
    return _BOTTOM - _along(run, *_RUNS) * (_BOTTOM - _TOP)


def _along(value: float, least: float, most: float) -> float:
    return min(1.0, max(0.0, log10(max(value, least) / least) / log10(most / least)))
