"""Results cut to size: every text within the limit that its type states, no lone surrogates.

>>> from ipvs_audit.model.verdict import Evidence
>>> bounded(Evidence("cat FILE", "x" * 70_000, 0, "root", "")).cut
4464
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from operator import is_
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from ipvs_audit.model.fields import Limit
from ipvs_audit.model.limits import FIELD_CHARACTERS, NAME_CHARACTERS
from ipvs_audit.model.sanitise import clip, clipped, encodable

_T = TypeVar("_T")
Cutter = Callable[[Any], Any]
"""Gives the value cut to size; the very same one where nothing is to cut."""


def bounded(value: _T) -> _T:
    """A dataclass of results with every text within its limit; itself where nothing is to cut.

    One that is so already comes back equal, which is what makes results.json round-trip.
    """
    kind: type = type(value)
    changed: dict[str, Any] = {}
    for name, most in _texts(kind):
        text = getattr(value, name)
        if len(text) > most or not text.isascii():
            fitting = clipped(encodable(text), most)
            if fitting is not text:
                changed[name] = fitting
    for name, cut in _cutters(kind):
        before = getattr(value, name)
        if (after := cut(before)) is not before:
            changed[name] = after
    for name, limit in _counted(kind):
        text = encodable(before := getattr(value, name))
        head, lost = clip(text, limit.characters)
        if head is not before:
            changed |= {name: head, limit.counted_in: getattr(value, limit.counted_in) + lost}
    return cast("_T", replace(cast("Any", value), **changed)) if changed else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


@cache
def _texts(kind: type) -> tuple[tuple[str, int], ...]:
    """The fields of a dataclass that are one text, and how long each may be: most fields are."""
    limits = ((name, _limit(hint)) for name, hint in _hints(kind).items())
    return tuple((name, one.characters) for name, one in limits if one and not one.counted_in)


@cache
def _cutters(kind: type) -> tuple[tuple[str, Cutter], ...]:
    """The other fields of a dataclass that can be too long, and how each is cut."""
    cutters = ((name, _cutter(hint)) for name, hint in _hints(kind).items() if not _limit(hint))
    return tuple((name, cut) for name, cut in cutters if cut is not None)


@cache
def _counted(kind: type) -> tuple[tuple[str, Limit], ...]:
    """The fields of which another field counts what is cut off."""
    limits = ((name, _limit(hint)) for name, hint in _hints(kind).items())
    return tuple((name, limit) for name, limit in limits if limit and limit.counted_in)


def _limit(hint: Any) -> Limit | None:  # noqa: ANN401  # any type
    return next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Limit)), None)


def _cutter(hint: Any) -> Cutter | None:  # noqa: ANN401  # any type
    """How a value of a type is cut; None where nothing in it can be too long."""
    if (limit := _limit(hint)) is not None:
        return None if limit.counted_in else _text_cutter(limit.characters)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Annotated, Literal):
        return _cutter(arguments[0]) if origin is Annotated else None
    if hint is object:
        return _bounded_setting
    if origin is None:
        return bounded if is_dataclass(hint) else None
    cutters = list(map(_cutter, arguments))
    if origin in (Union, UnionType):  # X | None
        return _optional_cutter(next(filter(None, cutters), None))
    return (
        _mapping_cutter(*cutters) if issubclass(origin, Mapping) else _sequence_cutter(cutters[0])
    )


def _text_cutter(limit: int) -> Cutter:
    def cut(text: str) -> str:
        if len(text) <= limit and text.isascii():
            return text
        return clipped(encodable(text), limit)

    return cut


def _optional_cutter(cut: Cutter | None) -> Cutter | None:
    return None if cut is None else lambda value: None if value is None else cut(value)


def _mapping_cutter(cut_name: Cutter | None, cut_value: Cutter | None) -> Cutter | None:
    if cut_name is None and cut_value is None:
        return None
    name, value = cut_name or _same, cut_value or _same

    def each(mapping: Mapping[Any, Any]) -> Mapping[Any, Any]:
        made = {name(key): value(held) for key, held in mapping.items()}
        return mapping if made == mapping else made

    return each


def _sequence_cutter(cut: Cutter | None) -> Cutter | None:
    def each(values: Sequence[Any]) -> Sequence[Any]:
        made = tuple(map(cut or _same, values))
        return values if all(map(is_, made, values)) else made

    return each if cut is not None else None


def _bounded_setting(value: object) -> object:
    """A value of the policy: text, numbers, and lists and mappings of them."""
    if isinstance(value, str):
        return _text_cutter(FIELD_CHARACTERS)(value)
    if isinstance(value, Mapping):
        name = _text_cutter(NAME_CHARACTERS)
        return {name(str(key)): _bounded_setting(each) for key, each in value.items()}
    return [_bounded_setting(each) for each in value] if isinstance(value, list) else value


def _same(value: object) -> object:
    return value
