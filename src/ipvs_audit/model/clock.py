"""The one way in which moments are written: UTC, ISO 8601, milliseconds, ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """A moment as evidence, journals and reports show it.

    >>> stamp(datetime(2026, 11, 23, 2, 0, tzinfo=UTC))
    '2026-11-23T02:00:00.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_id(started: datetime) -> str:
    """The name of a run's directory: its UTC start, without colons.

    >>> run_id(datetime(2026, 11, 23, 2, 0, 5, tzinfo=UTC))
    '2026-11-23T02-00-05Z'
    """
    return started.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")


def utc_now() -> datetime:
    """The controller's clock, in UTC."""
    return datetime.now(tz=UTC)


def utc_timestamp() -> str:
    """The controller's clock, as evidence, journals and reports show it.

    >>> len(utc_timestamp())
    24
    """
    return stamp(utc_now())
