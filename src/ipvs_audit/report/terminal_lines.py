"""How a table, or a text that wraps, is printed: no line ends in blanks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def print_lines(console: Console, shown: RenderableType) -> None:
    """Print it without the blanks that fill a column or follow a line's last word.

    They are copied with the text, and break lines anew in a log that is narrower.
    """
    for segments in console.render_lines(shown, pad=False):
        line = Text()
        for segment in segments:
            line.append(segment.text, segment.style)
        line.rstrip()
        console.print(line, soft_wrap=True)
