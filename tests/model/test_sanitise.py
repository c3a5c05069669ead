from __future__ import annotations

import time
import unicodedata
from xml.etree import ElementTree as ET

import sample_run
from hypothesis import given
from hypothesis import strategies as st

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.sanitise import clip, clipped, one_line, visible, visible_head

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT)
def test_nothing_unseen_is_left(text: str) -> None:
    for character in visible(text):
        assert character in "\t\n" or unicodedata.category(character) not in {
            "Cc",
            "Cs",
            "Zl",
            "Zp",
        }
        assert unicodedata.bidirectional(character) not in {
            *("LRE", "RLE", "LRO", "RLO", "PDF"),
            *("LRI", "RLI", "FSI", "PDI"),
        }


@given(ANY_TEXT)
def test_what_is_left_is_legal_in_xml_and_utf_8(text: str) -> None:
    element = ET.Element("e", {"a": one_line(text)})
    element.text = visible(text)
    back = ET.fromstring(ET.tostring(element, encoding="utf-8"))  # noqa: S314  # our own
    assert (back.text or "") == visible(text)
    assert back.get("a") == one_line(text)


@given(ANY_TEXT)
def test_making_visible_twice_changes_nothing_more(text: str) -> None:
    assert visible(visible(text)) == visible(text)


def test_ordinary_text_of_any_language_stays_as_it_is() -> None:
    for text in ("/etc/sysctl.conf:12 sets 0", "größe 网络 تقدير", "a\tb\nc"):
        assert visible(text) == text


def test_escapes_name_the_character() -> None:
    assert visible("\x1b[0m") == "\\x1b[0m"
    assert visible("\u202e") == "\\u202e"
    assert visible("\ud800") == "\\ud800"
    assert visible("\U000e0041") == "\\U000e0041"


def test_a_name_stays_on_one_line() -> None:
    assert one_line("web1\n\tpass") == "web1\\n\\tpass"


def test_a_cut_says_how_much_is_gone_and_keeps_the_limit() -> None:
    assert clip("x" * 10, 4) == ("xxxx", 6)
    cut = clipped("x" * 10_000, 100)
    assert len(cut) <= 100
    assert "9,948 characters cut" in cut


@given(st.text(max_size=300), st.integers(min_value=60, max_value=200))
def test_cutting_twice_changes_nothing_more(text: str, limit: int) -> None:
    assert clipped(clipped(text, limit), limit) == clipped(text, limit)


def test_bounding_a_run_twice_changes_nothing_more() -> None:
    once = bounded(sample_run.hostile_run())
    assert bounded(once) == once


def test_a_run_within_the_limits_is_left_as_it_is() -> None:
    run = sample_run.run()
    assert bounded(run) == run


@given(ANY_TEXT, st.integers(min_value=0, max_value=40))
def test_a_visible_head_keeps_the_limit_and_counts_what_is_gone(text: str, limit: int) -> None:
    shown, cut = visible_head(text, limit)
    assert len(shown) <= limit
    assert shown == visible(text[: len(text) - cut])


def test_a_flood_of_escapes_costs_no_more_than_its_head() -> None:
    start = time.process_time()
    visible_head("\x1b" * 50_000_000, 1_000)
    assert time.process_time() - start < 5
