"""Text on the page can be read: WCAG 2.1 AA, 4.5 to 1, computed from style.css in every theme."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ipvs_audit.report

STYLE = (Path(ipvs_audit.report.__file__).parent / "html" / "templates" / "style.css").read_text()
#: What is drawn on what. Verdicts stand on the page, on their own tint, and on raised ground.
ON_EVERY_GROUND = ("ink", "soft", "quiet", "link", "pass")
VERDICTS = ("fail", "error", "inconclusive", "waived")


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})\b", block))


def themes() -> dict[str, dict[str, str]]:
    light, dark, *_, paper = (
        colours(block) for block in re.findall(r":root \{([^}]*)\}", STYLE, re.DOTALL)
    )
    return {"light": light, "dark": light | dark, "paper": light | paper}


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_the_formula_is_that_of_wcag() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark", "paper"])
def test_all_text_stands_out_from_its_ground(theme: str) -> None:
    known = themes()[theme]
    pairs = [(text, ground) for text in ON_EVERY_GROUND for ground in ("paper", "raised")]
    pairs += [(word, ground) for word in VERDICTS for ground in ("paper", "raised", f"{word}-bg")]
    weak = {
        f"{text} on {ground}": round(contrast(known[text], known[ground]), 2)
        for text, ground in pairs
        if contrast(known[text], known[ground]) < 4.5
    }
    assert not weak


@pytest.mark.parametrize("theme", ["light", "dark", "paper"])
def test_focus_and_fields_can_be_seen(theme: str) -> None:
    known = themes()[theme]
    assert contrast(known["focus"], known["paper"]) >= 3
    assert contrast(known["fail"], known["paper"]) >= 3
