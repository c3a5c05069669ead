r"""Hostile text made safe: the one place where what a host printed becomes what a person reads.

Characters that draw nothing, or that change how others are drawn, become visible escapes.
What is left is legal in XML 1.0 and in UTF-8, and does nothing to a terminal. Escaping for HTML
and XML is left to those who write HTML and XML.

>>> visible("\x1b[31mred\x1b[0m \u202egnp.exe")
'\\x1b[31mred\\x1b[0m \\u202egnp.exe'
>>> one_line("two\nlines")
'two\\nlines'
>>> clip("0123456789", 4)
('0123', 6)
"""

from __future__ import annotations

import re

_MARK = 48  # room for the words that mark a cut

_UNSEEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls, without tab and newline
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # drawn as nothing
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, separators, bidi controls
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"  # fillers, variation, not characters
    r"\ufdd0-\ufdef"
    r"\ud800-\udfff"  # lone surrogates
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_ENDS_OF_PLANES = "".join(f"\\U{plane:04x}fffe\\U{plane:04x}ffff" for plane in range(1, 17))
_HIDDEN = re.compile(f"[{_UNSEEN}{_ENDS_OF_PLANES}]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:  # noqa: PLR2004  # what \xNN can hold
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  # \uNNNN


def visible(text: str) -> str:
    """The text with everything unseen made visible; tabs and newlines stay."""
    # Most of what hosts print: looking so is ten times as fast as looking for each hidden one.
    if text.isascii() and (
        text.isprintable() or text.replace("\n", "").replace("\t", "").isprintable()
    ):
        return text
    return _HIDDEN.sub(_escape, text)


def one_line(text: str) -> str:
    r"""The same for names and messages: newlines and tabs become ``\n`` and ``\t``."""
    if text.isascii() and text.isprintable():
        return text
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def encodable(text: str) -> str:
    """The text with only lone surrogates made visible: JSON can express all else."""
    return text if text.isascii() else _SURROGATE.sub(_escape, text)


def visible_head(text: str, limit: int) -> tuple[str, int]:
    r"""The head of a text made visible, and how many characters of the text are not in it.

    The work is bounded by the limit, not by the text.

    >>> visible_head("\x1b[0m and much more", 12)
    ('\\x1b[0m and ', 9)
    """
    head = text[:limit]
    while len(shown := visible(head)) > limit:
        head = head[: len(head) * limit // len(shown)]
    return shown, len(text) - len(head)


def clip(text: str, limit: int) -> tuple[str, int]:
    """The head of a text, and how many characters were cut off it."""
    return (text, 0) if len(text) <= limit else (text[:limit], len(text) - limit)


def clipped(text: str, limit: int) -> str:
    """The head of a text, its cut marked at the end; no longer than the limit, mark included."""
    if len(text) <= limit:
        return text
    head, cut = clip(text, limit - _MARK)
    return f"{head} [… {cut:,} characters cut]"
