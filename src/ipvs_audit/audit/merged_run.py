"""What the runs of all shards say together: whether they fit, and the run that they make.

Fitting means: the same suite, policy, inventory, direction, controls and waivers; every shard there
once; every host of the inventory in one of them, and none in two.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ipvs_audit.audit.waiver_matching import state_of
from ipvs_audit.model.comparison import KINDS, Comparison
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.shard import MergedShard, ShardPlace, names_digest
from ipvs_audit.model.text import some_of
from ipvs_audit.model.waiver import WaiverState, WaiverUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ipvs_audit.model.results import Run

_MOST_NAMED = 5


class MergeError(Exception):
    """Runs that cannot be merged; the message names them and what to do."""


@dataclass(frozen=True, slots=True)
class ShardRun:
    """One run to merge, without its hosts' results.

    Attributes:
        where: its directory, as messages name it.
        run: all of it but the hosts.
        part: which part of the fleet it is.
        names: its hosts, in the order of the run.
        sha256: of its results.json.
    """

    where: str
    run: Run
    part: ShardPlace
    names: tuple[str, ...]
    sha256: str


#: What must be alike: what it is called, how it is read from a run, and what to do otherwise.
_ALIKE: tuple[tuple[str, Callable[[Run], object], str], ...] = (
    ("version of ipvs-audit", lambda run: run.version, "audit all shards with one version"),
    ("direction", lambda run: run.estimation, "audit all shards with one --estimation"),
    ("policy", lambda run: run.policy_sha256, "audit all shards by one policy file"),
    ("inventory", lambda run: run.inventory_sha256, "audit all shards from one inventory"),
    ("waivers", lambda run: run.waivers_sha256, "audit all shards with one waiver file"),
    ("set of required controls", lambda run: " ".join(run.required), "give all the same checks"),
    ("number of waivers", lambda run: str(len(run.waivers)), "take the runs as they were written"),
    (
        "run to compare with",
        lambda run: f"{run.baseline.id} {run.baseline.sha256}" if run.baseline else "",
        "give all shards one --baseline, or none",
    ),
)


def order(given: Sequence[ShardRun]) -> Iterator[tuple[int, str]]:
    """The hosts of all runs in the order of the inventory, each with the number of its run.

    Raises:
        MergeError: the runs do not fit together.
    """
    _refuse_differing_runs(given)
    limits: dict[str, list[tuple[int, ShardRun]]] = {}
    for number, one in enumerate(given):
        limits.setdefault(one.part.limit, []).append((number, one))
    seen: dict[str, int] = {}
    for shards in limits.values():
        for number, name in _whole(shards):
            if (other := seen.setdefault(name, number)) != number:
                raise MergeError(
                    f"{name} is in {given[other].where} and in {given[number].where}: what"
                    " --limit selects must not overlap"
                )
            yield number, name


def _whole(shards: Sequence[tuple[int, ShardRun]]) -> list[tuple[int, str]]:
    """The hosts of all shards within one limit, in their places; none is missing."""
    _, first = shards[0]
    there: dict[int, ShardRun] = {}
    places: dict[int, tuple[int, str]] = {}
    for number, one in shards:
        if (one.part.count, one.part.total, one.part.sha256) != (
            *(first.part.count, first.part.total),
            first.part.sha256,
        ):
            raise MergeError(
                f"{first.where} is shard {first.part.shard} of {first.part.total:,} hosts,"
                f" {one.where} shard {one.part.shard} of {one.part.total:,}: they are not parts"
                " of the same fleet; audit it in one number of shards"
            )
        if (twin := there.setdefault(one.part.number, one)) is not one:
            raise MergeError(
                f"shard {one.part.shard} has two runs: {twin.where} and {one.where};"
                " name each shard once"
            )
        if len(one.names) != len(one.part.places):
            raise MergeError(
                f"{one.where} holds {len(one.names):,} hosts, but positions for"
                f" {len(one.part.places):,}"
            )
        for place, name in zip(one.part.places, one.names, strict=True):
            if place >= first.part.total or place in places or not one.part.shard.holds(name):
                raise MergeError(
                    f"{one.where}: {name} does not belong to this shard, by name or position"
                )
            places[place] = (number, name)
    found = [places[place] for place in sorted(places)]
    absent = [number for number in range(1, first.part.count + 1) if number not in there]
    if absent:
        named = ", ".join(f"{number}/{first.part.count}" for number in absent[:_MOST_NAMED])
        more = ", ..." if len(absent) > _MOST_NAMED else ""
        raise MergeError(
            f"{'shard' if len(absent) == 1 else f'{len(absent):,} shards'} missing: {named}{more},"
            f" with {first.part.total - len(found):,} of {first.part.total:,} hosts;"
            " name the runs of all shards"
        )
    if names_digest(name for _, name in found) != first.part.sha256:
        raise MergeError(
            f"{first.where}: its hosts and those of the other shards are not the ones that the"
            " inventory held"
        )
    return found


def _refuse_differing_runs(given: Sequence[ShardRun]) -> None:
    first = given[0]
    for one in given[1:]:
        for what, of, way_out in _ALIKE:
            if (here := of(first.run)) != (there := of(one.run)):
                raise MergeError(
                    f"the {what} differs: {here or 'none'} in {first.where}, {there or 'none'} in"
                    f" {one.where}; {way_out}"
                )
        if first.run.policy != one.run.policy:
            raise MergeError(f"the policy differs between {first.where} and {one.where}")
    judged = [one for one in given if one.run.controls]
    for one in judged[1:]:
        if one.run.controls != judged[0].run.controls:
            raise MergeError(
                f"{judged[0].where} and {one.where} did not evaluate the same controls; audit all"
                " shards with the same checks, -k and -m"
            )


def together(
    given: Sequence[ShardRun], places: Mapping[str, int], argv: tuple[str, ...], job: str
) -> Run:
    """The merged run, without hosts.

    Args:
        given: runs that fit together.
        places: the position of each host in the merged run.
        argv: the command line of the merge.
        job: its CI job.

    Raises:
        MergeError: a waiver was in force in one shard and expired in another, or one tells a change
            of a host that is in none.
    """
    runs = [one.run for one in given]
    first = min(runs, key=lambda run: run.started)
    controls = next((run.controls for run in runs if run.controls), ())
    return replace(
        first,
        id=f"{first.id}-merged",
        finished=max(run.finished for run in runs),
        operator=_joined(run.operator for run in runs),
        controller=_joined(run.controller for run in runs),
        argv=argv,
        versions=_versions(runs),
        inventory=tuple(dict.fromkeys(source for run in runs for source in run.inventory)),
        controls=controls,
        hosts=(),
        interrupted=any(run.interrupted for run in runs),
        notes=tuple(_notes(given)),
        job=job,
        waivers=tuple(_waivers(given)),
        baseline=_baseline(given, places),
        # Run.hosts is empty in each: its names represent them. All are of one inventory.
        left_out=len(given[0].names) + given[0].run.left_out - len(places),
        shard=None,
        merged=tuple(map(_source, given)),
    )


def _source(one: ShardRun) -> MergedShard:
    run = one.run
    return MergedShard(
        *(str(one.part.shard), one.part.limit, len(one.names), run.id, run.started, run.finished),
        *(run.operator, run.controller, run.argv, one.sha256),
    )


def _joined(words: Iterator[str]) -> str:
    return some_of(sorted(set(words)), _MOST_NAMED)


def _versions(runs: Sequence[Run]) -> dict[str, str]:
    names = dict.fromkeys(name for run in runs for name in run.versions)
    return {
        name: _joined(run.versions[name] for run in runs if name in run.versions) for name in names
    }


def _notes(given: Sequence[ShardRun]) -> Iterator[str]:
    hosts = sum(len(one.names) for one in given)
    limits = [limit for limit in dict.fromkeys(one.part.limit for one in given) if limit]
    yield (
        f"Merged from the runs of {len(given):,} shards: {hosts:,} hosts"
        + (f", of those that --limit selects: {'; '.join(limits)}" if limits else "")
        + "."
    )
    said = Counter(note for one in given for note in dict.fromkeys(one.run.notes))
    for note, count in said.items():
        if count == len(given):
            yield note
    for one in given:
        for note in one.run.notes:
            if said[note] < len(given) and not note.startswith("This is shard "):
                yield f"Shard {one.part.shard}: {note}"


def _waivers(given: Sequence[ShardRun]) -> Iterator[WaiverUse]:
    for accounts in zip(*(one.run.waivers for one in given), strict=True):
        first: WaiverUse = accounts[0]
        if len({account.state is WaiverState.EXPIRED for account in accounts}) > 1:
            raise MergeError(
                f"the waiver of {first.waiver.place} was in force in one shard and"
                " expired in another: they started on different days; repeat one of them with"
                " --from-snapshots"
            )
        found = sum((Counter(account.found) for account in accounts), Counter[str]())
        yield WaiverUse(
            first.waiver,
            state_of(found, holds=first.state is not WaiverState.EXPIRED),
            sum(account.matched for account in accounts),
            dict(sorted(found.items())),
            ends_soon=any(account.ends_soon for account in accounts),
        )


def _baseline(given: Sequence[ShardRun], places: Mapping[str, int]) -> Comparison | None:
    found = [one.run.baseline for one in given if one.run.baseline is not None]
    if not found:
        return None
    for one in given:
        _refuse_foreign_changes(one, places)
    changes: dict[str, Any] = {
        kind: tuple(
            sorted(
                (change for one in found for change in getattr(one, kind)),
                key=lambda change: (places[change.host], change.control),
            )
        )
        for kind in KINDS
    }
    gone = dict.fromkeys(name for one in found for name in one.gone if name not in places)
    return replace(
        found[0],
        **changes,
        appeared=tuple(sorted((n for one in found for n in one.appeared), key=places.__getitem__)),
        gone=tuple(gone),
        notes=tuple(dict.fromkeys(note for one in found for note in one.notes)),
    )


def _refuse_foreign_changes(one: ShardRun, places: Mapping[str, int]) -> None:
    if (compared := one.run.baseline) is None:
        return
    changed = [change.host for kind in KINDS for change in getattr(compared, kind)]
    for name in (*changed, *compared.appeared):
        if name not in places:
            raise MergeError(
                f"{one.where}: tells a change of {one_line(name)}, which no shard holds; audit the"
                " shard again"
            )
