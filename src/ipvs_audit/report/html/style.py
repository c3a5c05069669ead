"""style.css of one run: the pages' own, and what stands at the top of each sheet of paper.

Margin boxes take texts from a style sheet only, and Jenkins' content policy allows none within a
page: so the verdict and the run's id are written into the file.
"""

from __future__ import annotations

import re
from pathlib import Path

_STYLE = Path(__file__).parent / "templates" / "style.css"
_BOX = "font: 8pt sans-serif; color: #5a6068;"


def paged_style(left: str, right: str) -> str:
    """The style sheet with these texts at the top of each printed page."""
    return (
        f"{_STYLE.read_text(encoding='utf-8')}"
        f"@page {{ @top-left {{ content: {quoted(left)}; {_BOX} }}\n"
        f"  @top-right {{ content: {quoted(right)}; {_BOX} }} }}\n"
    )


def quoted(text: str) -> str:
    r"""A string of CSS (CSS Syntax Level 3, 4.3.7), in ASCII whatever the text holds.

    >>> quoted('run "1"\n')
    '"run \\000022 1\\000022 \\00000a "'
    """
    escaped = re.sub(r"[^A-Za-z0-9 .:,_-]", lambda one: f"\\{ord(one[0]):06x} ", text)
    return f'"{escaped}"'
