"""Which host belongs to which shard, and which runs of shards make one run."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import sample_run

from ipvs_audit.audit.merged_run import MergeError, ShardRun, order, together
from ipvs_audit.model.comparison import Change, Comparison
from ipvs_audit.model.shard import Shard, ShardPlace, names_digest
from ipvs_audit.model.waiver import WaiverState, WaiverUse
from ipvs_audit.report import results_json
from ipvs_audit.report.results_stream import Results, without_evidence

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [f"lb{number}.example.com" for number in range(100)]


def cut(names: list[str], count: int, *, limit: str = "", **changes: Any) -> list[ShardRun]:
    """The runs of all shards of a fleet, in memory."""
    given = []
    for number in range(1, count + 1):
        held = [place for place, name in enumerate(names) if Shard(number, count).holds(name)]
        part = ShardPlace(number, count, limit, len(names), names_digest(names), tuple(held))
        run = replace(sample_run.run(()), shard=part, controller=f"agent-{number}", **changes)
        where = f"{limit}shard-{number}"
        given.append(ShardRun(where, run, part, tuple(names[place] for place in held), "0" * 64))
    return given


def altered(given: list[ShardRun], number: int, **changes: Any) -> list[ShardRun]:
    """The same, with one run changed."""
    one = given[number]
    return [*given[:number], replace(one, run=replace(one.run, **changes)), *given[number + 1 :]]


class TestShard:
    def test_is_the_head_of_the_sha256_of_the_name(self) -> None:
        for name in NAMES[:20]:
            head = int(hashlib.sha256(name.encode()).hexdigest()[:16], 16)
            assert Shard.of(name, 7) == head % 7 + 1

    def test_each_host_is_in_exactly_one(self) -> None:
        for name in NAMES:
            assert [Shard(number, 6).holds(name) for number in range(1, 7)].count(True) == 1

    def test_none_is_much_larger_than_the_others(self) -> None:
        sizes = [0] * 16
        for number in range(16_000):
            sizes[Shard.of(f"host{number}", 16) - 1] += 1
        assert min(sizes) > 800
        assert max(sizes) < 1200

    @pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/b", "1/2/3", "-1/2"])
    def test_of_other_words_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a shard: give K/N"):
            Shard.parse(text)


class TestOrder:
    def test_is_that_of_the_inventory_however_the_runs_are_named(self) -> None:
        given = cut(NAMES, 5)
        assert [name for _, name in order(given)] == NAMES
        assert [name for _, name in order(given[::-1])] == NAMES

    def test_takes_several_limits_that_do_not_overlap(self) -> None:
        given = cut(NAMES[:30], 2, limit="eu") + cut(NAMES[30:], 3, limit="cn")
        assert [name for _, name in order(given)] == NAMES
        places = {name: place for place, name in enumerate(NAMES)}
        run = together(given, places, ("merge",), "")
        assert "100 hosts, of those that --limit selects: eu; cn" in run.notes[0]

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            (cut(NAMES, 4)[:3], "shard missing: 4/4, with "),
            (cut(NAMES, 16)[5:6], "15 shards missing: 1/16, 2/16, 3/16, 4/16, 5/16, ..., with"),
            (cut(NAMES, 4) + cut(NAMES, 4)[:1], "shard 1/4 has two runs"),
            (cut(NAMES, 2)[:1] + cut(NAMES, 3)[1:], "not parts of the same fleet"),
            (cut(NAMES, 2)[:1] + cut(NAMES[:-1], 2)[1:], "not parts of the same fleet"),
            (
                cut(NAMES[:60], 2, limit="eu") + cut(NAMES[59:], 2, limit="cn"),
                f"{NAMES[59]} is in ",
            ),
            (altered(cut(NAMES, 2), 1, version="0.0.9"), "version of ipvs-audit differs"),
            (altered(cut(NAMES, 2), 1, estimation="enabled"), "the direction differs: disabled in"),
            (altered(cut(NAMES, 2), 1, policy_sha256="f" * 64), "the policy differs: 9f86"),
            (altered(cut(NAMES, 2), 1, policy={"ack": True}), "the policy differs between"),
            (altered(cut(NAMES, 2), 1, inventory_sha256="f" * 64), "the inventory differs"),
            (altered(cut(NAMES, 2), 1, waivers_sha256="f" * 64), "the waivers differs: none in"),
            (
                altered(cut(NAMES, 2), 1, controls=sample_run.CONTROLS[:3]),
                "did not evaluate the same controls",
            ),
            (
                altered(cut(NAMES, 2), 1, baseline=Comparison("old", "", "ab" * 32)),
                "the run to compare with differs: none in shard-1, old ab",
            ),
        ],
    )
    def test_what_does_not_fit_is_refused(self, given: list[ShardRun], says: str) -> None:
        with pytest.raises(MergeError) as caught:  # what it says is asserted below
            list(order(given))
        assert says in str(caught.value)

    def test_a_host_in_a_shard_that_its_name_does_not_give_is_refused(self) -> None:
        one, two = cut(NAMES, 2)
        changed = replace(one, names=(two.names[0], *one.names[1:]))
        with pytest.raises(MergeError, match=f"{two.names[0]} does not belong to this shard"):
            list(order([changed, two]))

    def test_a_renamed_host_is_refused(self) -> None:
        one, two = cut(NAMES, 2)
        other = next(f"x{n}" for n in range(99) if Shard(1, 2).holds(f"x{n}"))
        with pytest.raises(MergeError, match="not the ones that the inventory held"):
            list(order([replace(one, names=(other, *one.names[1:])), two]))


class TestTogether:
    def merged(self, given: list[ShardRun]) -> Any:
        places = {name: place for place, name in enumerate(NAMES)}
        return together(given, places, ("merge",), "")

    def test_spans_all_runs_and_names_where_they_ran(self) -> None:
        given = altered(cut(NAMES, 3), 1, started="2026-11-23T01:00:00.000Z", id="early")
        given = altered(given, 2, finished="2026-11-23T09:00:00.000Z", interrupted=True)
        run = self.merged(given)
        assert (run.started, run.finished) == (
            "2026-11-23T01:00:00.000Z",
            "2026-11-23T09:00:00.000Z",
        )
        assert run.id == "early-merged"
        assert run.interrupted
        assert run.controller == "agent-1, agent-2, agent-3"
        assert run.shard is None
        assert [one.shard for one in run.merged] == ["1/3", "2/3", "3/3"]
        assert sum(one.hosts for one in run.merged) == len(NAMES)

    def test_a_note_of_all_is_said_once_and_one_of_some_with_its_shard(self) -> None:
        given = cut(NAMES, 2, notes=("seen by all",))
        notes = self.merged(altered(given, 1, notes=("seen by all", "seen by one"))).notes
        assert notes[1:] == ("seen by all", "Shard 2/2: seen by one")

    def test_a_waiver_counts_what_it_did_in_all_shards(self) -> None:
        first, second = (
            WaiverUse(sample_run.OLD, WaiverState.NOT_NEEDED, 2, {"pass": 2}),
            WaiverUse(sample_run.OLD, WaiverState.IN_FORCE, 3, {"fail": 1, "pass": 2}),
        )
        given = altered(cut(NAMES, 2, waivers=(first,)), 1, waivers=(second,))
        (account,) = self.merged(given).waivers
        assert account.state is WaiverState.IN_FORCE
        assert (account.matched, account.found) == (5, {"fail": 1, "pass": 4})

    def test_a_waiver_that_expired_between_two_shards_is_refused(self) -> None:
        held = WaiverUse(sample_run.OLD, WaiverState.IN_FORCE, 1, {"fail": 1})
        given = altered(
            cut(NAMES, 2, waivers=(held,)), 1, waivers=(replace(held, state=WaiverState.EXPIRED),)
        )
        with pytest.raises(MergeError, match="started on different days"):
            self.merged(given)

    def test_changes_stand_in_the_order_of_the_inventory(self) -> None:
        given = cut(NAMES, 4)
        for number, one in enumerate(given):
            changes = tuple(Change(name, "EST-4", "pass", "fail") for name in one.names)
            found = Comparison(
                "old", "", "ab" * 32, changes, appeared=one.names, gone=(f"gone{number}",)
            )
            given = altered(given, number, baseline=found)
        found = self.merged(given).baseline
        assert [change.host for change in found.newly_failing] == NAMES
        assert found.appeared == tuple(NAMES)
        assert set(found.gone) == {"gone0", "gone1", "gone2", "gone3"}

    @pytest.mark.parametrize(
        "told",
        [{"fixed": (Change("strange", "EST-4", "fail", "pass"),)}, {"appeared": ("strange",)}],
        ids=("changed", "appeared"),
    )
    def test_a_change_of_a_host_that_no_shard_holds_is_refused(self, told: dict[str, Any]) -> None:
        compared = Comparison("old", "", "ab" * 32)
        given = altered(cut(NAMES, 2, baseline=compared), 1, baseline=replace(compared, **told))
        with pytest.raises(MergeError, match="shard-2: tells a change of strange, which no shard"):
            self.merged(given)


class TestStreamed:
    def test_reads_what_is_written_and_leaves_evidence_on_disk(self, tmp_path: Path) -> None:
        run = sample_run.accompanied(sample_run.run())
        path = tmp_path / "results.json"
        results_json.write(run, path)
        read = Results(path)
        hosts = tuple(read.hosts())
        assert replace(read.run, hosts=hosts) == results_json.load(path)
        slim = [
            without_evidence(host, path, offset)
            for host, (offset, _) in zip(hosts, read.placed(), strict=True)
        ]
        assert slim == list(hosts)
        shown = slim[1].controls[3].evidence
        assert (len(shown), shown[0]) == (1, hosts[1].controls[3].evidence[0])
        assert shown != hosts[1].controls[2].evidence

    def test_what_hosts_have_alike_is_held_once(self, tmp_path: Path) -> None:
        run = sample_run.run()
        long = replace(run.hosts[1].controls[3], message="the value that wins is not 0 " * 9)
        host = replace(run.hosts[1], controls=(long,))
        path = tmp_path / "results.json"
        results_json.write(replace(run, hosts=(host, replace(host, name="another"))), path)
        one, other = (without_evidence(host, path, 0) for host in Results(path).hosts())
        assert one.controls[0].message == long.message
        assert one.controls[0].message is other.controls[0].message

    @pytest.mark.parametrize("spoil", [lambda text: text[:-4], lambda text: text[:-2]])
    def test_a_file_that_was_cut_short_is_refused(self, spoil: Any, tmp_path: Path) -> None:
        path = tmp_path / "results.json"
        results_json.write(sample_run.run(), path)
        path.write_text(spoil(path.read_text()))
        with pytest.raises(results_json.ReportError, match=r"cut short|Invalid JSON|EOF"):
            list(Results(path).hosts())

    def test_another_layout_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "results.json"
        path.write_text('{"schema": "ipvs-audit/results/1", "run": {}, "hosts": []}')
        with pytest.raises(results_json.ReportError, match="not laid out"):
            Results(path)
