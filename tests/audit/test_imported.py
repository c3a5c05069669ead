"""Evidence from files that somebody else brought: whose it is, and how old."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.audit.host_facts import facts_of
from ipvs_audit.audit.imported import (
    ImportRefusedError,
    import_answers,
    name_hosts,
    read_map,
)
from ipvs_audit.probe import script
from ipvs_audit.probe.printed import Printed
from ipvs_audit.snapshot import Failure, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

PRINTED_AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
PRINTED = Printed("0" * 32, "2026-11-20T08:00:00.000Z")


def answer(*, clock: datetime, boot: str = "b-1") -> bytes:
    """An answer of two sections, 10 s after each other; the clock is read 4 s after the first."""
    host = f"boot-id={boot}\nclock={int(clock.timestamp())}\n"
    netns = "end\n"
    text = (
        f"{PRINTED.nonce} first - 100.00 0 0\n\n"
        f"{PRINTED.nonce} host - 104.00 0 {len(host)}\n{host}\n"
        f"{PRINTED.nonce} netns - 110.00 0 {len(netns)}\n{netns}\n"
        f"{PRINTED.nonce} end 3\n"
    ).encode()
    return text + f"{PRINTED.nonce} sha256 {hashlib.sha256(text).hexdigest()}\n".encode()


def imported(folder: Path, *, max_age: int | None = None, **answers: bytes) -> list[object]:
    hosts = {name: folder / f"{name}.txt" for name in answers}
    for name, data in answers.items():
        hosts[name].write_bytes(data)
    return [*import_answers(hosts, PRINTED, now=NOW, max_age=max_age)]


def test_it_is_dated_by_the_hosts_clock_where_that_can_be_true(tmp_path: Path) -> None:
    ran = datetime(2026, 11, 20, 12, tzinfo=UTC)
    (one,) = imported(tmp_path, web1=answer(clock=ran))
    assert isinstance(one, Snapshot)
    assert one.collection.started == "2026-11-20T11:59:56.000Z"
    # The clock is whole seconds: it may be nearly one later.
    assert one.collection.finished == "2026-11-20T12:00:07.000Z"
    assert one.collection.probe == script.digest()
    facts = facts_of(one)
    assert facts["reached"] == "imported from web1.txt; its address is not known"
    assert facts["host key"] == "not known"
    assert facts["clock"] == (
        "2026-11-20 12:00:00 UTC, by its own clock; its difference from the controller's is not"
        " known"
    )


@pytest.mark.parametrize(
    "clock",
    [
        PRINTED_AT - timedelta(minutes=1),
        NOW + timedelta(minutes=1),
        datetime(1970, 1, 1, tzinfo=UTC),
    ],
)
def test_a_clock_that_cannot_be_right_does_not_date_it(clock: datetime, tmp_path: Path) -> None:
    (one,) = imported(tmp_path, web1=answer(clock=clock))
    assert isinstance(one, Snapshot)
    assert one.collection.started == "2026-11-20T08:00:00.000Z"
    assert one.collection.finished == "2026-11-20T18:00:00.000Z"
    assert "which is wrong" in facts_of(one)["clock"]


@pytest.mark.parametrize(
    ("ran", "old"),
    [
        (NOW - timedelta(hours=2), False),
        (NOW - timedelta(hours=4), True),
        # A clock that is wrong proves no age: the probe was printed 10 hours ago.
        (NOW + timedelta(hours=2), True),
    ],
)
def test_an_answer_older_than_max_age_is_an_error(ran: datetime, old: bool, tmp_path: Path) -> None:
    (one,) = imported(tmp_path, max_age=3, web1=answer(clock=ran))
    assert isinstance(one, Failure) is old
    if isinstance(one, Failure):
        assert one.kind == "too-old"


def test_an_answer_under_two_names_is_an_error_of_both(tmp_path: Path) -> None:
    at = NOW - timedelta(hours=1)
    first, second, third = imported(
        tmp_path,
        web1=answer(clock=at),
        web2=answer(clock=at + timedelta(seconds=30)),
        web3=answer(clock=at, boot="b-2"),
    )
    assert isinstance(first, Failure)
    assert isinstance(second, Failure)
    assert "web2.txt is an answer of the same machine" in first.message
    assert isinstance(third, Snapshot)


def test_a_bad_file_is_the_error_of_its_host_alone(tmp_path: Path) -> None:
    good = answer(clock=NOW - timedelta(hours=1))
    bad, fine = imported(tmp_path, web1=good[:50], web2=good)
    assert isinstance(bad, Failure)
    assert (bad.target, bad.kind) == ("web1", "protocol")
    assert f"{tmp_path / 'web1.txt'}: run the probe on that host again" in bad.message
    assert isinstance(fine, Snapshot)


def test_a_file_that_cannot_be_read_is_the_error_of_its_host(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    hosts = {"gone": tmp_path / "gone", "folder": tmp_path / "folder"}
    found = import_answers(hosts, PRINTED, now=NOW)
    assert all(isinstance(one, Failure) for one in found)


def test_a_file_is_named_for_its_host(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("web1", "web2.txt", "web3.example.com", "web4.out")]
    assert list(name_hosts(files, None)) == ["web1", "web2", "web3.example.com", "web4"]


def test_a_map_names_hosts_and_every_file_has_to_be_in_it(tmp_path: Path) -> None:
    names = read_map("# of the cloud\ni-0a1.txt web1\n\ni-0b2.txt  web2\n", "map")
    files = [tmp_path / "i-0a1.txt", tmp_path / "i-0b2.txt"]
    assert name_hosts(files, names) == {"web1": files[0], "web2": files[1]}
    with pytest.raises(ImportRefusedError, match=r"add a line for i-0c3.txt to --map"):
        name_hosts([tmp_path / "i-0c3.txt"], names)


@pytest.mark.parametrize(
    ("text", "why"),
    [("i-0a1.txt\n", "map:1: write FILE HOST"), ("a web1\na web2\n", "map:2: a is a duplicate")],
)
def test_a_map_that_says_something_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(ImportRefusedError, match=why):
        read_map(text, "map")


def test_two_files_of_one_host_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError, match="both are named for the host web1"):
        name_hosts([tmp_path / "web1", tmp_path / "web1.txt"], None)
