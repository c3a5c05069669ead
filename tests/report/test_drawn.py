from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.report.html import drawn, index_page, view

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.model.results import Run
    from ipvs_audit.model.verdict import Evidence


class Counted(tuple["Evidence", ...]):
    """Evidence that counts how often it is read, as a merged run reads it from the disk."""

    __slots__ = ()
    reads = 0

    def __iter__(self) -> Iterator[Evidence]:
        Counted.reads += 1
        return super().__iter__()


def with_times_of_their_own(hosts: int) -> Run:
    """Hosts of one image, collected one after the other."""
    right = sample_run.lab_hosts()[0]
    made = []
    for number in range(hosts):
        at = f"2026-11-23T02:00:{number:02d}.211Z"
        controls = tuple(
            replace(one, evidence=tuple(replace(shown, at=at) for shown in one.evidence))
            for one in right.controls
        )
        name = f"lb-{number}"
        made.append(replace(right, name=name, id=name, controls=controls))
    return sample_run.run(tuple(made))


@pytest.mark.parametrize("hosts", [6, view.INLINE_LIMIT + 6], ids=["few", "many"])
def test_evidence_is_read_once_for_all_pages(hosts: int, tmp_path: Path) -> None:
    failing = next(one for one in sample_run.lab_hosts() if one.name == "drifted")
    counted = tuple(replace(one, evidence=Counted(one.evidence)) for one in failing.controls)
    shown = tuple(
        replace(failing, name=f"lb-{number}", id=f"lb-{number}", controls=counted)
        for number in range(hosts)
    )
    Counted.reads = 0
    index_page.write(sample_run.run(shown), tmp_path)
    assert Counted.reads == hosts * len(counted)


def test_what_hosts_of_one_image_printed_is_made_visible_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = with_times_of_their_own(20)
    seen: list[str] = []

    def looked_at(text: str, limit: int) -> tuple[str, int]:
        seen.append(text)
        return text[:limit], 0

    monkeypatch.setattr(view, "visible_head", looked_at)
    index_page.write(run, tmp_path)
    there = {(one.section, one.output) for host in run.hosts for each in host.controls
             for one in each.evidence}  # fmt: skip
    assert len(seen) == len(there)


def test_each_host_has_its_own_anchor_and_time(tmp_path: Path) -> None:
    run = with_times_of_their_own(20)
    index_page.write(run, tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    for host, section in zip(run.hosts, page.split('<section class="host"')[1:], strict=True):
        moments = {shown.at for each in host.controls for shown in each.evidence}
        assert moments == {part.partition('"')[0] for part in section.split('<time datetime="')[1:]}
        for control in run.controls:
            assert f'id="h-{host.id}:{control.id}"' in section


def test_without_room_for_the_details_the_pages_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = sample_run.accompanied(sample_run.run())
    written = []
    for room in (drawn.MOST_WAITING, 0):
        monkeypatch.setattr(drawn, "MOST_WAITING", room)
        directory = tmp_path / str(room)
        directory.mkdir()
        index_page.write(run, directory)
        written.append({file.name: file.read_bytes() for file in directory.iterdir()})
    assert written[0] == written[1]
