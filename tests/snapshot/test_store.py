from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipvs_audit.model import limits
from ipvs_audit.snapshot import CollectionInfo, Failure, Section, Snapshot, store

text = st.text(st.characters(), max_size=30)
sections = st.lists(
    st.builds(
        Section,
        name=text,
        command=text,
        output=text,
        status=st.one_of(st.none(), st.integers(0, 255)),
        at=st.floats(0, 1e9),
    ),
    max_size=4,
    unique_by=lambda section: section.name,
).map(lambda found: {section.name: section for section in found})
moments = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
snapshots = st.builds(
    Snapshot, text, st.builds(CollectionInfo, moments, moments, text, text, text), sections
)
failures = st.builds(Failure, text, text, text, moments, moments)
hosts = st.lists(
    st.one_of(snapshots, failures), min_size=1, max_size=4, unique_by=lambda one: one.target
)
SNAPSHOT = Snapshot(
    "web1",
    CollectionInfo("2026-11-23T02:00:00.000Z", "2026-11-23T02:00:06.000Z", "local", "", "0" * 12),
    {"host": Section("host", "uname -r", "6.1\n", None, 1.0)},
)
FAILURE = Failure("web2", "timeout", "no answer", "2026-11-23T02:00:00Z", "2026-11-23T02:00:10Z")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hosts)
def test_everything_comes_back_as_it_was(tmp_path: Path, found: list[Snapshot | Failure]) -> None:
    store.write(tmp_path / store.NAME, found)
    assert list(store.read(tmp_path)) == found
    assert list(store.read(tmp_path / store.NAME)) == found


def test_the_same_evidence_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        store.write(tmp_path / name, [SNAPSHOT, FAILURE])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a", "b"]


def test_plain_lines_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(store.to_line(SNAPSHOT) + store.to_line(FAILURE))
    assert list(store.read(tmp_path / "x.jsonl")) == [SNAPSHOT, FAILURE]


def test_hosts_are_read_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(store.to_line(SNAPSHOT) + b"{broken\n")
    reading = store.read(tmp_path / "x.jsonl")
    assert next(reading) == SNAPSHOT
    with pytest.raises(store.StoreError, match=r"x\.jsonl:2: "):
        next(reading)


def test_hosts_that_say_the_same_share_one_text(tmp_path: Path) -> None:
    path = tmp_path / "plain.jsonl"
    one, other = (
        Snapshot(
            name,
            CollectionInfo("2026-11-23T02:00:00Z", "2026-11-23T02:00:01Z", "local", "", "0"),
            {"sysctl": Section("sysctl", "cat /etc/sysctl.d/*", f"as {9} others\n", 0, at)},
        )
        for name, at in (("one", 1.0), ("other", 2.0))
    )
    path.write_bytes(store.to_line(one) + store.to_line(other))
    first, second = (found.sections["sysctl"] for found in store.read(path))  # type: ignore[union-attr]
    assert (first.at, second.at) == (1.0, 2.0)
    for field in ("name", "command", "output"):
        assert getattr(first, field) is getattr(second, field)


def line(**change: object) -> bytes:
    record = json.loads(store.to_line(SNAPSHOT))
    body = record["snapshot"]
    for path, value in change.items():
        if path == "schema":
            record["schema"] = value
        else:
            body[path] = value
    return json.dumps(record).encode() + b"\n"


@pytest.mark.parametrize(("content", "says"), [
    (b"", "holds no host"),
    (b"\n", "x.jsonl:1: "),
    (b"[]\n", "its schema is None"),
    (b"[" * 100_000 + b"\n", "x.jsonl:1: "),
    (line(schema="ipvs-audit/snapshot/2"), "its schema is 'ipvs-audit/snapshot/2'"),
    (line(sections=None), "x.jsonl:1: "),
    (line(sections=[{"name": "x"}]), "x.jsonl:1: 0.command"),
    (line(collection={}), "x.jsonl:1: started"),
    (line(target=5), "neither a snapshot nor a failure"),
    (line(sections=json.loads(line())["snapshot"]["sections"] * 2), "is a duplicate"),
    (line() + line(), "x.jsonl:2: 'web1' is a duplicate"),
    (line()[:-1], "x.jsonl:1: cut short"),
    (b"\xff\xfe\n", "x.jsonl:1: "),
    (line().replace(b"1.0", b"NaN"), "x.jsonl:1: "),
])  # fmt: skip
def test_what_is_wrong_is_named_with_file_and_line(
    tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(store.StoreError) as refused:
        list(store.read(tmp_path / "x.jsonl"))
    assert says in str(refused.value)
    assert "x.jsonl" in str(refused.value)


def test_a_cut_or_damaged_archive_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(store.to_line(SNAPSHOT) * 1)
    for number, content in enumerate(
        [packed[:-4], packed[: len(packed) // 2], packed[:40] + b"x" * 9 + packed[49:]]
    ):
        file = tmp_path / f"{number}.gz"
        file.write_bytes(content)
        with pytest.raises(store.StoreError, match=f"{number}.gz"):
            list(store.read(file))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(store.StoreError, match="nowhere: No such file"):
        list(store.read(tmp_path / "nowhere"))
    with pytest.raises(store.StoreError, match=store.NAME):
        list(store.read(tmp_path))


def test_a_line_beyond_all_bounds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVIDENCE_LINE", 100)
    (tmp_path / "x.jsonl").write_bytes(store.to_line(SNAPSHOT))
    with pytest.raises(store.StoreError, match="longer than 100 bytes"):
        list(store.read(tmp_path / "x.jsonl"))


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVIDENCE_EXPANSION_FROM", 1_000_000)
    blank = Section("x", "", " " * 500_000, 0, 1.0)
    bomb = [replace(SNAPSHOT, target=f"web{n}", sections={"x": blank}) for n in range(4)]
    store.write(tmp_path / store.NAME, bomb)
    reading = store.read(tmp_path)
    assert next(reading).target == "web0"
    with pytest.raises(store.StoreError, match="gunzip"):
        list(reading)
    assert not store.mentions(tmp_path, "none")
    plain = tmp_path / "plain.jsonl"
    plain.write_bytes(gzip.decompress((tmp_path / store.NAME).read_bytes()))
    assert len(list(store.read(plain))) == 4


def test_hosts_that_differ_in_their_names_alone_are_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVIDENCE_EXPANSION_FROM", 0)
    recording = Path(__file__).parents[1] / "recordings" / "namespaced-more.jsonl"
    (host,) = store.read(recording)
    assert isinstance(host, Snapshot)
    store.write(tmp_path / store.NAME, (replace(host, target=f"web{n}") for n in range(200)))
    assert len(list(store.read(tmp_path))) == 200


def test_a_pipe_in_place_of_evidence_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / store.NAME)
    with pytest.raises(store.StoreError, match="not a regular file"):
        list(store.read(tmp_path))
    assert not store.mentions(tmp_path, "host")


def test_an_interrupted_run_keeps_what_is_known(tmp_path: Path) -> None:
    file = tmp_path / store.NAME
    with pytest.raises(KeyboardInterrupt), store.Writer(file) as saved:  # noqa: PT012
        saved.write(SNAPSHOT)
        assert not file.exists()
        raise KeyboardInterrupt
    assert list(store.read(file)) == [SNAPSHOT]


def test_a_full_disk_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    file = tmp_path / store.NAME
    with pytest.raises(OSError, match="full"), store.Writer(file) as saved:  # noqa: PT012
        saved.write(SNAPSHOT)
        raise OSError(28, "full")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="No such file"), store.Writer(tmp_path / "no" / "folder"):
        pass


@pytest.mark.parametrize(
    "moment",
    [
        "\ufdd0",
        "2026-11-23",
        "2026-11-23T02:00:00",
        "2026-13-23T02:00:00Z",
        "2026-11-23T02:00-14:00",
    ],
)
@pytest.mark.parametrize("kind", ["snapshot", "failure"])
def test_evidence_without_a_time_that_can_be_reckoned_with_is_refused(
    moment: str, kind: str, tmp_path: Path
) -> None:
    record: dict[str, Any] = {
        "snapshot": {"target": "web1", "sections": []},
        "failure": {"target": "web1", "kind": "timeout", "message": "no answer"},
    }[kind]
    times = {"started": "2026-11-23T02:00:00Z", "finished": moment}
    if kind == "snapshot":
        record["collection"] = times | {"via": "local", "fingerprint": "", "probe": ""}
    else:
        record |= times
    path = tmp_path / "saved.jsonl"
    path.write_text(json.dumps({"schema": store.SCHEMA, kind: record}) + "\n")
    with pytest.raises(store.StoreError, match=r"saved\.jsonl:1: "):
        list(store.read(path))
    path.write_text(path.read_text().replace(json.dumps(moment), '"2026-11-23T02:00:00.5Z"'))
    assert len(list(store.read(path))) == 1
