"""The kinds of fields that results are made of: bounded texts, counts, moments, durations.

A text's limit is part of its type; :func:`ipvs_audit.model.bounded.bounded` holds every text to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ipvs_audit.model.limits import FIELD_CHARACTERS, NAME_CHARACTERS, OUTPUT_CHARACTERS


@dataclass(frozen=True, slots=True)
class Limit:
    """How many characters a text may have.

    Attributes:
        characters: the limit, the mark of a cut included.
        counted_in: the field that counts the characters cut off; without one a mark says it.
    """

    characters: int
    counted_in: str = ""


#: A name: of a host, a control, a group.
Name = Annotated[str, Limit(NAME_CHARACTERS)]
#: A sentence or a few: a message, a reason.
Text = Annotated[str, Limit(FIELD_CHARACTERS)]
#: A diff or a command's whole text.
LongText = Annotated[str, Limit(OUTPUT_CHARACTERS)]

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
#: UTC, ISO 8601 with Z; empty where nothing was begun.
Moment = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00))?$")]
