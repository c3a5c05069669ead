"""What the script said on real kernels, read and put into words; see tests/recordings/README.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipvs_audit.latency.estimator_runs_text import (
    all_too_short,
    at_work,
    estimator_runs_text,
    long_holds,
    no_runs_reason,
)
from ipvs_audit.latency.round_trips_text import Estimation
from ipvs_audit.probe import framing
from ipvs_audit.snapshot.estimator_runs import SECTION, EstimatorRuns, parse

FOLDER = Path(__file__).parents[1] / "recordings" / "estimator-runs"
NONCE = "0123456789abcdef" * 2
SPIKE = 0.02


def recorded(name: str) -> EstimatorRuns:
    return parse(framing.parse((FOLDER / f"{name}.txt").read_bytes(), NONCE)[SECTION])


def test_a_timer_with_8000_services_and_64_cpus_holds_its_cpu() -> None:
    seen = recorded("6.1-on")
    assert (seen.kind, seen.kprobes, seen.fewer, seen.doubtful) == ("timer", "1", False, False)
    # From the file: 172.153820 to 172.348680, and so on.
    assert seen.runs == pytest.approx([0.19486, 0.287728, 0.331377, 0.400802])
    assert long_holds(seen, SPIKE) == seen.holds == seen.runs
    assert at_work(seen)


def test_the_same_timer_with_estimation_off_fires_and_does_nothing() -> None:
    seen = recorded("6.1-off")
    assert len(seen.runs) == 8
    assert long_holds(seen, SPIKE) == ()
    assert all_too_short(seen, SPIKE)
    assert not at_work(seen)
    assert "contradicts" not in estimator_runs_text(seen, Estimation.OFF)


def test_a_kernel_whose_probe_events_are_switched_off_is_not_idle() -> None:
    seen = recorded("6.1-silent")
    assert (seen.kind, seen.runs) == ("timer", ())
    assert "kprobes/enabled is 0" in no_runs_reason(seen)
    assert "proves nothing" in no_runs_reason(seen)
    assert not all_too_short(seen, SPIKE)


def test_an_ordinary_account_is_refused() -> None:
    assert "only root may trace" in no_runs_reason(recorded("6.1-ordinary"))


def test_threads_work_and_hold_nothing() -> None:
    seen = recorded("6.12-on")
    # From the file: 98396467 ns less 54079098.
    assert (seen.kind, seen.runs, seen.holds) == ("threads", (pytest.approx(0.044317369),), ())
    assert long_holds(seen, SPIKE) == ()
    assert "contradicts" in estimator_runs_text(seen, Estimation.OFF)
    assert "contradicts" not in estimator_runs_text(seen, Estimation.ON)


def test_threads_that_estimation_off_has_ended_are_not_seen() -> None:
    seen = recorded("6.12-off")
    assert (seen.kind, seen.runs) == ("threads", ())
    assert "no thread ipvs-e:* was there" in no_runs_reason(seen)
