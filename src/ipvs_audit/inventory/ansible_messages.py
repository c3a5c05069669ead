"""Ansible's own words, made fit for a person, a log and a report.

Ansible quotes what it stumbled over, and that may be a password. So a message is taken apart
into its plain words, its place (file, line, column) and the names that are safe to repeat; every
other quotation is left out, and so are the lines of the file that Ansible would show.

>>> without_quotations("Expected key=value host variable assignment, got: hunter2")
'Expected key=value host variable assignment'
>>> without_quotations("could not determine a constructor for the tag '!hunter2'")
"could not determine a constructor for the tag '...'"
>>> without_quotations("'site' is undefined")
"'site' is undefined"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What may be repeated: single punctuation marks, names of variables, filters and plugins.
_SAFE = re.compile(
    r"'(?:\\t|[^\w\s'\"]{1,2}|<[a-z ]+>)'"
    r"|(?:'[A-Za-z_][\w.]*'|hostvars\['[\w.:-]+'\]) is undefined"
    r"|(?:has no attribute|filter named|unknown plugin|undefined group) '[A-Za-z_][\w.-]*'"
    r"|limit file b'[^']*'|\w'\w"
)
_QUOTED = re.compile(r"(?<!\w)(?:'.*?'(?!\w)|\".*?\"(?!\w)|`.*?`)|<class .*?>", re.DOTALL)
_GOT = re.compile(r",? *\b(?:but )?(?:got|found undefined alias):? .*\Z", re.DOTALL)
_MARK = re.compile(r" in \"<[^>]*>\", line \d+, column \d+|, line \d+, column \d+")
_PREFIX = re.compile(r"\AYAML parsing failed\. *")
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
        return found["plugin"].rsplit(".", 1)[-1] if found else None

    @property
    def unread_source(self) -> str | None:
        """The source that no plugin could read, where this says so."""
        found = _UNPARSED.match(self.text)
        return found["source"] if found else None

    def mentions(self, words: str) -> bool:
        """Whether the event or a cause of it contains these words."""
        return any(words.lower() in text.lower() for text in self.texts)

    @property
    def words(self) -> str:
        """The innermost words, safe to show."""
        shown = (without_quotations(text) for text in reversed(self.texts))
        return next((text for text in shown if text), "it cannot be read")

    def __str__(self) -> str:
        """The place and the innermost words, safe to show."""
        return f"{self.place}: {self.words}" if self.place else self.words


def message_of(event: Any) -> Message:  # noqa: ANN401  # ansible-core has no types
    """Take apart an ``ansible.module_utils._internal._messages.Event`` and its chain of causes."""
    texts: list[str] = []
    place = ""
    while event is not None:
        texts.append(str(event.msg))
        found = _ORIGIN.match(event.formatted_source_context or "")
        if found and found["place"].startswith("/"):
            place = found["place"]
        event = event.chain.event if event.chain else None
    return Message(tuple(texts), place)


def without_quotations(text: str) -> str:
    """Leave out everything that may be content of a file rather than Ansible's own words.

    Where it is not clear what ends a quotation, the rest of the message goes.
    """
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\x00{len(kept) - 1}\x00"

    def drop(found: re.Match[str]) -> str:
        quoted = found[0][1:-1]
        if quoted.startswith("/") and Path(quoted).is_file():
            return keep(found)
        return "\x01"

    plain = _MARK.sub("", " ".join(text.replace("\x00", "").replace("\x01", "").split()))
    plain = _PREFIX.sub("", plain)
    plain = _QUOTED.sub(drop, _SAFE.sub(keep, _GOT.sub("", plain)))
    if re.search("['\"`]", plain):
        plain = re.split("['\"`\x01]", plain, maxsplit=1)[0]
    plain = re.sub("\x00(\\d+)\x00", lambda found: kept[int(found[1])], plain)
    return plain.replace("\x01", "'...'").strip().rstrip(".:,;").strip()
