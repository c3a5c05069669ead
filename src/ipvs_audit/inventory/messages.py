"""Ansible's own words, made fit for a person, a log and a report.

Ansible quotes what it stumbled over, and that may be a password. So a message is taken apart
into its plain words, its place (file, line, column) and the names that are safe to repeat; every
other quotation is left out, and so are the lines of the file that Ansible would show.

>>> without_quotations("Expected key=value host variable assignment, got: hunter2")
'Expected key=value host variable assignment'
>>> without_quotations("found undefined alias 'hunter2'")
'found undefined alias'
>>> without_quotations("'site' is undefined")
"'site' is undefined"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_GOT = re.compile(r"[,:;]?\s*\b(?:got|found):?\s.*\Z", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"\s*(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|<[^>]*>)")
_UNDEFINED = re.compile(r"'[A-Za-z_][\w.]*' is undefined|has no attribute '[A-Za-z_]\w*'")
_ORIGIN = re.compile(r"\AOrigin: (?P<place>.*)")
_SOURCE = re.compile(r"\AFailed to parse inventory with '(?P<plugin>[\w.]+)' plugin\.\Z")
_UNPARSED = re.compile(r"\AUnable to parse (?P<source>.*) as an inventory source\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Message:
    """One event of Ansible, with what caused it.

    Attributes:
        texts: its words and those of its causes, outermost first, as Ansible wrote them: they
            may hold secrets and are for matching only.
        place: ``file:line:column`` of the innermost cause that has one; may be empty.
    """

    texts: tuple[str, ...]
    place: str

    @property
    def text(self) -> str:
        """Ansible's outermost words, for matching only."""
        return self.texts[0]

    @property
    def failed_plugin(self) -> str | None:
        """The inventory plugin that could not read a source, where this says so."""
        found = _SOURCE.match(self.text)
        return found["plugin"] if found else None

    @property
    def unread_source(self) -> str | None:
        """The source that no plugin could read, where this says so."""
        found = _UNPARSED.match(self.text)
        return found["source"] if found else None

    def mentions(self, words: str) -> bool:
        """Whether the event or a cause of it contains these words."""
        return any(words.lower() in text.lower() for text in self.texts)

    def __str__(self) -> str:
        """The innermost words and the place, safe to show."""
        said = [without_quotations(text) for text in self.texts]
        inner = next((text for text in reversed(said) if text), "it cannot be read")
        return f"{self.place}: {inner}" if self.place else inner


def message_of(event: Any) -> Message:  # noqa: ANN401  # ansible-core has no types
    """Take apart an ``ansible.module_utils._internal._messages.Event`` and its chain of causes."""
    texts: list[str] = []
    place = ""
    while event is not None:
        texts.append(str(event.msg))
        found = _ORIGIN.match(event.formatted_source_context or "")
        if found and not found["place"].startswith("<"):
            place = found["place"]
        event = event.chain.event if event.chain else None
    return Message(tuple(texts), place)


def without_quotations(text: str) -> str:
    """Leave out everything that may be content of a file rather than Ansible's own words."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\x00{len(kept) - 1}\x00"

    bare = _UNDEFINED.sub(keep, " ".join(text.split()).replace("\x00", ""))
    bare = _QUOTED.sub("", _GOT.sub("", bare))
    bare = re.sub("\x00(\\d+)\x00", lambda found: kept[int(found[1])], bare)
    return bare.strip().rstrip(".:,;").strip()
