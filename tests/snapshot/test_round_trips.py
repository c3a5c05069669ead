"""Traces as sections of a snapshot: what was saved is what was measured, or an error."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipvs_audit.snapshot import CollectionInfo, GarbledEvidenceError, Section, Snapshot
from ipvs_audit.snapshot.round_trips import BEFORE, RoundTrips, decode, encode
from ipvs_audit.snapshot.store import from_line, to_line

TRACE = RoundTrips(
    "ssh",
    0.005,
    (0.0, 0.005, 0.0101),
    (0.0003, None, 0.155),
    5.0,
    ((0.002, 0.01),),
    "after 0.1 s: the connection ended",
    "2026-11-24T15:00:00.123Z",
)

microseconds = st.integers(0, 3_000_000).map(lambda one: one / 1e6)
traces = st.lists(st.tuples(microseconds, st.none() | microseconds), max_size=50).map(
    lambda pairs: RoundTrips(
        "icmp",
        0.02,
        tuple(
            round(at - min(p[0] for p in pairs), 6) for at, _ in sorted(pairs, key=lambda p: p[0])
        ),
        tuple(rtt for _, rtt in pairs),
        2.0,
    )
)


@given(traces)
def test_what_is_decoded_is_what_was_encoded(trace: RoundTrips) -> None:
    assert decode(encode(trace, command="ping", at=1.0)) == trace


def test_a_trace_survives_the_evidence_file() -> None:
    sections = {
        "latency": encode(TRACE, command="cat", at=1.0),
        "latency.before": encode(replace(TRACE, ended=""), command="cat", at=1.0, name=BEFORE),
    }
    evidence = from_line(to_line(Snapshot("web1", CollectionInfo("", "", "", "", ""), sections)))
    assert isinstance(evidence, Snapshot)
    assert evidence.latency == TRACE
    assert evidence.latency_before == replace(TRACE, ended="")


def test_a_host_that_was_not_measured_has_no_trace() -> None:
    assert Snapshot("web1", CollectionInfo("", "", "", "", ""), {}).latency is None


def garble(old: str, new: str) -> Section:
    section = encode(TRACE, command="cat", at=1.0)
    assert old in section.output
    return replace(section, output=section.output.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("trace 1", "trace 2"),
        ("via=ssh", "via=pigeon"),
        ("via=ssh", "via=ssh\nvia=icmp"),
        ("via=ssh\n", ""),
        ("interval=5000", "interval=0"),
        ("interval=5000", "interval=-5"),
        ("interval=5000", "interval=5e3"),
        ("limit=5000000", "limit="),
        ("sent=0 5000", "sent=1 5000"),
        ("sent=0 5000", "sent=0 -5000"),
        ("sent=0 5000", "sent=0"),
        ("sent=0 5000", "sent=0  5000"),
        ("sent=0 5000", "sent=0 99999999999"),
        ("sent=0 5000", "sent=0 3600000000"),
        ("rtt=300 -", "rtt=300 nan"),
        ("rtt=300 -", "rtt=300 - -"),
        ("rtt=300 -", "rtt=300 ٣"),
        ("stalls=2000+10000", "stalls=2000"),
        ("stalls=2000+10000", "stalls=2000+-1"),
        ("2026-11-24T15:00:00.123Z", "<script>"),
        ("ended=after", "ended=\x1b[31m"),
        ("end\n", ""),
    ],
)
def test_what_is_not_a_trace_is_garbled_evidence(old: str, new: str) -> None:
    with pytest.raises(GarbledEvidenceError):
        decode(garble(old, new))


@given(st.text(max_size=300))
def test_any_text_is_a_trace_or_garbled(text: str) -> None:
    with pytest.raises(GarbledEvidenceError):
        decode(Section("latency", "cat", text + "\nend\n", None, 1.0))


@given(st.data())
def test_a_trace_with_anything_in_its_fields_is_a_trace_or_garbled(data: st.DataObject) -> None:
    lines = encode(TRACE, command="cat", at=1.0).output.split("\n")
    number = data.draw(st.integers(0, len(lines) - 2))
    key = lines[number].partition("=")[0]
    lines[number] = f"{key}={data.draw(st.text(alphabet='0123456789 -+.eE', max_size=40))}"
    with suppress(GarbledEvidenceError):
        trace = decode(Section("latency", "cat", "\n".join(lines), None, 1.0))
        assert len(trace.sent) == len(trace.rtt)


def test_too_many_round_trips_are_refused() -> None:
    trips = " ".join(["1"] * 100_000)
    with pytest.raises(GarbledEvidenceError, match="do not fit"):
        decode(garble("sent=0 5000 5100\nrtt=300 - 155000", f"sent=0 {trips}\nrtt=0 {trips}"))
