"""Waivers, the comparison with an earlier run, and shards, as results.json holds them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ipvs_audit.model.comparison import KINDS, Change, Comparison
from ipvs_audit.model.shard import Part, Source
from ipvs_audit.model.waiver import Account, Waiver

if TYPE_CHECKING:
    from ipvs_audit.report.records import ComparisonRecord, PartRecord, SourceRecord, WaiverRecord

_OF_WAIVER = ("place", "hosts", "control", "justification", "ticket", "approver", "expires")


def of_account(account: Account) -> dict[str, object]:
    """One entry of ``waivers``: see :class:`~ipvs_audit.report.records.WaiverRecord`."""
    fields = asdict(account)
    waiver: dict[str, object] = fields.pop("waiver")
    return waiver | fields


def to_account(record: WaiverRecord) -> Account:
    """The reverse of :func:`of_account`."""
    return Account(
        Waiver(**{name: getattr(record, name) for name in _OF_WAIVER}),
        record.state,
        record.matched,
        record.found,
        record.ends_soon,
    )


def to_comparison(record: ComparisonRecord | None) -> Comparison | None:
    """The comparison that a ``baseline`` records."""
    if record is None:
        return None
    fields: dict[str, Any] = dict(record)
    for kind in KINDS:
        fields[kind] = tuple(Change(**dict(change)) for change in fields[kind])
    return Comparison(**fields)


def to_part(record: PartRecord | None) -> Part | None:
    """The part of a fleet that a ``shard`` records."""
    return None if record is None else Part(**dict(record))


def to_source(record: SourceRecord) -> Source:
    """One run that a merged run was put together from."""
    return Source(**dict(record))
