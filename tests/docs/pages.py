"""The pages that users read, cut into headings, links and examples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for place in (ROOT, ROOT / "docs", ROOT / "reports") for path in place.glob("*.md")
) + sorted((ROOT / "docs").glob("*/*.md"))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+(?:\([^()]*\))?)\)")


@dataclass(frozen=True)
class Example:
    """A fenced block: its language, its text, and the line that it begins on."""

    page: Path
    language: str
    text: str
    line: int


def fenced(page: Path) -> list[Example]:
    text = page.read_text()
    return [
        Example(page, found[1], found[2], text[: found.start()].count("\n") + 2)
        for found in _FENCE.finditer(text)
    ]


def indented(page: Path) -> list[str]:
    """The lines of the indented blocks."""
    text = _FENCE.sub("", page.read_text())
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def prose(page: Path) -> str:
    """The page without its examples, and without code between backticks."""
    text = _FENCE.sub("", page.read_text())
    lines = (line for line in text.splitlines() if not line.startswith("    "))
    return re.sub(r"`[^`]*`", "``", "\n".join(lines))


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The ids of a page's headings, as GitHub and mkdocs make them."""
    text = _FENCE.sub("", page.read_text())
    headings = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
