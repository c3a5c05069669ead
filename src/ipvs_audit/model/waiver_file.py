"""Waivers: failures that somebody has accepted, for a reason, with a ticket, until a day.

    waivers:
      - hosts: "lb-old*:&cn-hangzhou"      # an Ansible host pattern, as --limit takes it
        control: EST-1
        justification: replaced by new hardware in December
        ticket: OPS-1412
        approver: A. Auditor
        expires: 2026-12-08                # valid to the end of that day, UTC

A waiver covers a raw fail, nothing else, and never hides it: the verdict stays ``fail`` everywhere,
together with the waiver. See docs/waivers.md.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ipvs_audit.model.strict_yaml import StrictYaml, StrictYamlError, read_settings
from ipvs_audit.model.usage_error import UsageError
from ipvs_audit.model.waiver import Waiver

if TYPE_CHECKING:
    from pathlib import Path

_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST = 2_000
# Ansible takes a pattern of nothing but separators for "all": that would waive the whole fleet.
_NAMES_SOMETHING = r"[\w*]"


# The first host of a group is another one tomorrow. Ansible takes web[0-9] for ten places, too.
_A_PLACE = re.compile(r"[^~].*\[(?:-?\d+|\d+[-]\d*)\]")


class WaiverError(UsageError):
    """A waiver file that cannot be used; the message names the file, the line, what to do."""


def _day(given: object) -> object:
    # A YAML date is a date already; a time of day, or another way to write one, is refused: a
    # date that is misread waives for the wrong time.
    if type(given) is date:
        return given
    if isinstance(given, str) and _ISO.fullmatch(given):
        try:
            return date.fromisoformat(given)
        except ValueError as wrong:
            raise ValueError(f"is {given}, which is not a date: {wrong}") from None
    raise ValueError("must be a date as YYYY-MM-DD, e.g. 2026-12-08 (UTC, to its end)")


def _by_name(pattern: str) -> str:
    # A range of places may hold the colon that else parts one pattern from the next.
    parts = re.split(r"[,:]", re.sub(r"\[(\d+):(\d*)\]", r"[\1-\2]", pattern))
    if any(_A_PLACE.fullmatch(part.strip().lstrip("&!")) for part in parts):
        raise ValueError(
            f"is {pattern!r}, which selects hosts by position in the inventory, which changes:"
            " name them, or say ~web[0-9] for a regular expression"
        )
    return pattern


Words = Annotated[str, Field(min_length=1, max_length=_LONGEST)]
ControlId = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*-\d+$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    hosts: Annotated[Words, Field(pattern=_NAMES_SOMETHING), AfterValidator(_by_name)]
    control: ControlId
    justification: Words
    ticket: Words
    approver: Words
    expires: Annotated[date, BeforeValidator(_day)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    waivers: list[_Entry]


def load_waivers(path: Path) -> tuple[tuple[Waiver, ...], str]:
    """Read a waiver file.

    Returns:
        The waivers, and the file's sha256.

    Raises:
        WaiverError: naming file, line and key.
    """
    try:
        raw = read_settings(path)
    except OSError as error:
        raise WaiverError(f"{path}: cannot read the waivers: {error.strerror}") from error
    try:
        document = StrictYaml.parse(raw, str(path))
    except StrictYamlError as error:
        raise WaiverError(str(error)) from None
    if not isinstance(document.data, dict) or "waivers" not in document.data:
        raise WaiverError(
            f"{document.place()}: a waiver file holds 'waivers:' and a list (an empty one is [])"
        )
    try:
        entries = _File.model_validate(document.data).waivers
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = document.place(tuple(first["loc"]))
        raise WaiverError(f"{place}: {_where(first['loc'])}{_reason(first)}") from None
    return tuple(
        Waiver(
            place=document.place(("waivers", number)),
            **entry.model_dump(exclude={"expires"}),
            expires=entry.expires.isoformat(),
        )
        for number, entry in enumerate(entries)
    ), hashlib.sha256(raw).hexdigest()


def _where(place: tuple[int | str, ...]) -> str:
    name = str(place[-1]) if isinstance(place[-1], str) else f"waiver {int(place[-1]) + 1}"
    return f"{name} "


def _reason(error: Any) -> str:  # noqa: ANN401  # pydantic_core.ErrorDetails
    kind, given = error["type"], error["input"]
    said = {
        "missing": f"is missing: a waiver needs {', '.join(_Entry.model_fields)}",
        "extra_forbidden": f"is not a waiver field; fields are {', '.join(_Entry.model_fields)}",
        "string_too_short": "is empty",
        "model_type": f"must be a mapping of {', '.join(_Entry.model_fields)}",
        "list_type": "must be a list, each entry after a dash",
        "string_type": f"is {given!r}; must be text: put it in quotes",
    }
    if kind == "string_pattern_mismatch" and error["loc"][-1] == "control":
        return f"is {given!r}; must look like a control's id, e.g. EST-4"
    if kind == "string_pattern_mismatch":
        return f"is {given!r}, which names nothing; to mean every host, say all"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return said.get(kind, f"cannot be used: {error['msg']}")
