"""An earlier run whose evidence is taken over, so that only what is missing is collected.

While a run collects, it keeps what it is about next to its evidence. That is left where the run was
killed, and tells with what inventory and policy it may be resumed.
"""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from ipvs_audit.model.limits import IDENTITY_FILE
from ipvs_audit.model.private_files import first_file
from ipvs_audit.model.regular_file import read_regular
from ipvs_audit.model.usage_error import UsageError
from ipvs_audit.report import manifest
from ipvs_audit.report.errors import ReportError
from ipvs_audit.snapshot import Failure, Snapshot, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ResumeError(UsageError):
    """A run that cannot be resumed; the message names it and what to do."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What a run is about; its evidence may be taken over by one that is about the same."""

    id: str
    version: str
    estimation: str
    policy_sha256: str
    inventory_sha256: str


_WORDS = {
    "version": "another version of ipvs-audit",
    "estimation": "another direction (--estimation)",
    "policy_sha256": "another policy",
    "inventory_sha256": "another inventory",
}


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run to resume.

    Attributes:
        identity: what it was about.
        evidence: the file, which may have been cut short.
        leftovers: files to remove once they are taken over.
    """

    identity: RunIdentity
    evidence: Path | None
    leftovers: tuple[Path, ...] = ()

    def snapshots(self) -> Iterator[Snapshot]:
        """The evidence that it brought; hosts that failed are left out.

        Raises:
            store.StoreError: it cannot be read.
        """
        if self.evidence is not None:
            for evidence in store.read_unfinished(self.evidence):
                if not isinstance(evidence, Failure):
                    yield evidence

    def refuse_other(self, now: RunIdentity) -> None:
        """Refuse to go on with it in a run that is about something else.

        Raises:
            ResumeError: says what differs.
        """
        if asdict(replace(self.identity, id=now.id)) == asdict(now):
            return
        differing = [
            words
            for name, words in _WORDS.items()
            if getattr(self.identity, name) != getattr(now, name)
        ]
        raise ResumeError(
            f"--resume {self.identity.id}: it was started with {' and '.join(differing)};"
            " it cannot be resumed so. Start a new one, without --resume"
        )


def identity_file(evidence: Path) -> Path:
    """Where a run keeps what it is about, next to the evidence that it is collecting."""
    return evidence.with_name(f"{evidence.name}.json")


def write_identity(evidence: Path, identity: RunIdentity) -> None:
    """Say what a run is about, before it collects. The name of the run is this one's from then on.

    Raises:
        FileExistsError: another run of the same second has it.
        OSError: the file cannot be written.
    """
    with first_file(identity_file(evidence)) as file:
        file.write(json.dumps(asdict(identity)).encode("ascii"))


def evidence_in_progress(directory: Path) -> Path:
    """Where the evidence lies until the run's directory is written."""
    return directory.with_name(f".{directory.name}.collecting")


def find_earlier(asked: Path) -> EarlierRun:
    """The run that ``--resume`` names: written, or killed before that.

    Raises:
        ResumeError: there is none, it is still running, or it was changed.
    """
    if (asked / "results.json").exists():
        return _written(asked.resolve())
    evidence = evidence_in_progress(asked)
    try:
        text = read_regular(identity_file(evidence), IDENTITY_FILE)
        identity = TypeAdapter(RunIdentity).validate_json(text)
    except OSError:
        raise ResumeError(
            f"--resume {asked}: no such run, finished or stopped while it collected"
        ) from None
    except ValidationError:
        raise ResumeError(f"--resume {identity_file(evidence)}: was changed or cut short") from None
    parts = sorted(asked.parent.glob(f".{evidence.name}.*.part"))
    for part in parts:
        _refuse_running(part)
    there = [evidence] if evidence.exists() else parts[-1:]
    return EarlierRun(
        identity, there[0] if there else None, (identity_file(evidence), *there, *parts)
    )


def _written(directory: Path) -> EarlierRun:
    from ipvs_audit.report.results_stream import Results  # noqa: PLC0415  # few runs have one

    try:
        said = manifest.entries(directory)
        for name in ("results.json", store.NAME):
            if said.get(name) != manifest.sha256(directory / name):
                raise ResumeError(
                    f"--resume {directory / name}: differs from the digest in the manifest"
                )
        run = Results(directory / "results.json").run
    except (ReportError, OSError) as wrong:
        raise ResumeError(f"--resume {directory}: {wrong}") from None
    identity = RunIdentity(
        run.id, run.version, run.estimation, run.policy_sha256, run.inventory_sha256
    )
    return EarlierRun(identity, directory / store.NAME)


def _refuse_running(part: Path) -> None:
    with part.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResumeError(
                f"--resume {part}: is still being written; wait for that run to end, or stop it"
            ) from None
