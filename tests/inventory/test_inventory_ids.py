"""Test ids are made of inventory names, and are safe in a shell, a path, XML and HTML."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ipvs_audit.model.target import safe_ids

NAMES = st.lists(
    st.one_of(
        st.text(min_size=1), st.sampled_from(["a", "a b", "a/b", "a_b", "a_b-2", "::1", "_"])
    ),
    unique=True,
)


@given(NAMES)
def test_every_name_has_an_id_of_its_own_made_of_safe_characters(names: list[str]) -> None:
    ids = safe_ids(names)
    assert list(ids) == names
    assert len(set(ids.values())) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", each) for each in ids.values())


@given(NAMES)
def test_a_safe_name_is_its_own_id_whatever_the_others_are(names: list[str]) -> None:
    for name, each in safe_ids(names).items():
        if re.fullmatch(r"[A-Za-z0-9._-]+", name):
            assert each == name


@given(NAMES)
def test_ids_do_not_depend_on_chance(names: list[str]) -> None:
    assert safe_ids(names) == safe_ids(names)
