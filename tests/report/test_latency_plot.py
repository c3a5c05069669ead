from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import ipvs_audit.report
from ipvs_audit.report.html.latency_plot import picture
from ipvs_audit.snapshot.round_trips import RoundTrips

SVG = "{http://www.w3.org/2000/svg}"
STYLE = Path(ipvs_audit.report.__file__).parent / "html/templates/style.css"


def trace(
    *,
    seconds: float = 12.0,
    interval: float = 0.005,
    calm: float = 0.0003,
    spikes: dict[float, float] | None = None,
    lost: range = range(0),
    stalls: tuple[tuple[float, float], ...] = (),
) -> RoundTrips:
    """Round trips of ``calm`` seconds, but those caught by a stall that begins at its time."""
    sent = tuple(number * interval for number in range(int(seconds / interval)))
    took = [calm] * len(sent)
    for begin, height in (spikes or {}).items():
        for number, at in enumerate(sent):
            if begin <= at < begin + height:
                took[number] = calm + begin + height - at
    rtt = tuple(None if number in lost else one for number, one in enumerate(took))
    return RoundTrips("ssh", interval, sent, rtt, limit=2.0, stalls=stalls)


def parsed(before: RoundTrips | None, after: RoundTrips, **options: float) -> ET.Element:
    # As a browser reads it within HTML, where the namespace goes without saying.
    drawn = str(picture(before, after, **options))
    return ET.fromstring(drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))  # noqa: S314


def paths(svg: ET.Element, kind: str) -> list[str]:
    return [one.attrib["d"] for one in svg.iter(f"{SVG}path") if one.attrib["class"] == kind]


def words(svg: ET.Element) -> list[str]:
    return ["".join(one.itertext()) for one in svg.iter(f"{SVG}text")]


ESTIMATOR = {0.4 + 2.15 * number: 0.15 for number in range(5)}


def test_each_spike_has_a_dot_at_its_time_and_height() -> None:
    svg = parsed(None, trace(spikes={3.0: 0.1, 9.0: 0.4}))
    (dots,) = paths(svg, "lk")
    (first, low), (second, high) = (
        (float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", dots)
    )
    # The series is 464 wide for 12 s; the third of it apart is twice three seconds.
    assert second - first == pytest.approx(464 * 6 / 12, abs=2)
    assert high < low  # up the page


def test_both_traces_share_one_scale_so_that_they_can_be_compared() -> None:
    svg = parsed(trace(spikes=ESTIMATOR), trace(calm=0.004))
    marks = [word for word in words(svg) if word.endswith((" ms", " s"))]
    series = [word for word in marks if "median" not in word]
    assert series.count("100 ms") == 3  # two series and the distribution
    assert len(paths(svg, "lr")) == 2


def test_says_in_words_what_it_shows() -> None:
    svg = parsed(trace(spikes=ESTIMATOR), trace())
    title, told = svg.findtext(f"{SVG}title"), svg.findtext(f"{SVG}desc")
    assert svg.attrib["role"] == "img"
    assert title is not None
    assert "before and after" in title
    assert told is not None
    assert "Before: 2400 round trips by SSH in 12 s, 5 delays, 5 of them every 2.15 s" in told
    assert "After: 2400 round trips by SSH in 12 s, 0 delays" in told


def test_distribution_shows_the_share_above_a_time() -> None:
    # A tenth of the round trips take a tenth of a second.
    svg = parsed(None, trace(calm=0.001, lost=range(240)))
    (curve,) = paths(svg, "la")
    # Lost ones are slower than anything: the curve does not come down.
    assert curve.endswith("H752")
    last = float(curve.rpartition("H")[0].rpartition(" ")[2].rpartition("V")[2])
    top, bottom, decades = 20, 116, 4
    assert last == pytest.approx(top + (bottom - top) / decades, abs=0.5)


def test_times_of_the_controllers_own_stalls_and_lost_round_trips_are_marked() -> None:
    svg = parsed(None, trace(lost=range(100, 110), stalls=((3.0, 0.5),)))
    assert len(paths(svg, "ls")) == 1
    assert len(paths(svg, "ll")) == 1
    calm = parsed(None, trace())
    assert not paths(calm, "ls")
    assert not paths(calm, "ll")
    assert not paths(calm, "lk")


def test_threshold_is_that_of_the_policy() -> None:
    (default,) = paths(parsed(None, trace(spikes={3.0: 0.1})), "lh")
    (higher,) = paths(parsed(None, trace(spikes={3.0: 0.1}), spike=0.05), "lh")
    assert default != higher
    assert not paths(parsed(None, trace(spikes={3.0: 0.1}), spike=0.2), "lk")


@pytest.mark.parametrize(
    "odd",
    [
        RoundTrips("icmp", 0.02, (), (), limit=2.0, ended="refused"),
        RoundTrips("icmp", 0.02, (0.0,), (None,), limit=2.0),
        RoundTrips("icmp", 0.02, (0.0, 0.02), (0.0, 0.0), limit=2.0),
        RoundTrips("icmp", 0.02, (0.0, 3600.0), (0.001, 3600.0), limit=3600.0),
        trace(stalls=((0.0, 3600.0), (5.0, 0.0))),
    ],
    ids=["nothing", "one-lost", "no-time", "an-hour", "stalled-throughout"],
)
def test_odd_traces_are_drawn_within_the_picture(odd: RoundTrips) -> None:
    for svg in (parsed(None, odd), parsed(trace(), odd), parsed(odd, trace())):
        _, _, width, height = map(float, svg.attrib["viewBox"].split())
        for one in svg.iter(f"{SVG}path"):
            assert re.fullmatch(r"([MLHVvh][\d. -]+)+", one.attrib["d"])
            for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", one.attrib["d"]):
                assert 0 <= float(x) <= width
                assert 0 <= float(y) <= height


def test_size_is_bounded_whatever_the_trace() -> None:
    usual = picture(trace(spikes=ESTIMATOR), trace())
    assert len(usual) < 12_000
    # A spike in each tenth of a second, losses and stalls in every column.
    bad = trace(
        seconds=25,
        interval=0.002,
        spikes={0.13 * number: 0.03 for number in range(190)},
        lost=range(0, 12_500, 7),
        stalls=tuple((0.25 * number, 0.001) for number in range(100)),
    )
    assert len(picture(bad, bad)) < 20_000


class _Attributes(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.classes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        for name, value in attrs:
            self.names.add(name)
            if name == "class":
                self.classes.update((value or "").split())


def test_nothing_in_it_needs_more_than_the_style_sheet() -> None:
    shown = _Attributes(
        picture(trace(spikes=ESTIMATOR, lost=range(9)), trace(stalls=((1.0, 0.5),)))
    )
    assert shown.names <= {"class", "role", "viewbox", "x", "y", "d"}
    style = STYLE.read_text()
    assert all(re.search(rf"\.{name}\b", style) for name in shown.classes)
