"""Durations in words: three figures, the unit that people read them in, no exponents."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipvs_audit.model.text import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.0000004, "0 ms"),
        (0.000001, "0.001 ms"),
        (0.0004, "0.4 ms"),
        (0.00999, "9.99 ms"),
        (0.009996, "10 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (1.5, "1.5 s"),
        (9.996, "10 s"),
        (10, "10 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (61, "1 min 1 s"),
        (180, "3 min"),
        (3599.6, "1 h"),
        (3661, "1 h 1 min"),
        (86400, "1 d"),
        (266400, "3 d 2 h"),
    ],
)
def test_duration_at_the_borders_of_its_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@given(st.floats(0, 1e9))
def test_duration_never_has_an_exponent(seconds: float) -> None:
    assert re.fullmatch(r"[0-9.]+ (ms|s)|[0-9]+ (d|h|min|s)( [0-9]+ (h|min|s))?", duration(seconds))
