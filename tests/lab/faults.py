"""The long fault sweep, `make faults`: scripts and controllers killed, lines cut, at many points.

After each fault every file is whole, the old or the new; `--rollback` brings all of /etc and the
running value back, and, tried apart from it, the next run completes what was begun.

Not part of `make test`; there, tests/remedy kills the scripts at every point on this machine.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from planned import file_steps
from remedied import ETC, VALUE, Remedied

from ipvs_audit.model import limits
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.stop_request import StopRequest
from ipvs_audit.remedy import host_access
from ipvs_audit.remedy import journal as journals
from ipvs_audit.remedy.batches import parse_batches
from ipvs_audit.remedy.host_access import HALT, HALT_UNDO
from ipvs_audit.remedy.journal import Event, Journal
from ipvs_audit.remedy.operator import Operator
from ipvs_audit.remedy.rollback import roll_back
from ipvs_audit.remedy.rollout import roll_out
from ipvs_audit.remedy.run_script import apply_plan
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.connect import open_connection
from lab import fleet as lab_fleet
from lab import guest as lab_guest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.guest import Guest

    from ipvs_audit.model.target import Target
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.remediate_host import HostRemediation
    from ipvs_audit.transport import Connection, Output
    from ipvs_audit.transport.settings import Settings

MOMENTS = int(os.environ.get("FAULT_MOMENTS", "20"))
#: No sweep has so many points; fewer only to try the sweep itself.
_MOST = 100
_LAST = int(os.environ.get("FAULT_POINTS", _MOST))
_FORK = multiprocessing.get_context("fork")


@pytest.fixture(
    scope="module",
    params=[("6.1", "recipe"), ("6.1", "drop-in"), ("6.12", "recipe"), ("6.12", "drop-in")],
    ids="-".join,
)
def host(request: pytest.FixtureRequest, _qemu_works: None) -> Iterator[Remedied]:
    series, remedy = request.param
    folder = lab_fleet.own_folder() / f"faults-{series}-{remedy}"
    guest = lab_fleet.boot(series, folder, name="faulty", states=["unset"])
    # Counters are not what is tried here: no look waits for them to stand still.
    policy = Policy(remedy=remedy).model_copy(update={"sample_seconds": 0})
    with _kept_line(guest), pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "SHORTEST_SPAN", 0)
        patch.setattr(host_access, "open_connection", Lines().open)
        yield Remedied(guest, policy)
    guest.stop()


class Lines:
    """One connection per process, kept: a handshake costs an emulated guest a second."""

    def __init__(self) -> None:
        self._kept: dict[int, Line] = {}

    def open(self, target: Target, settings: Settings) -> Connection:
        """The connection of this process; a child never speaks over its parent's."""
        line = self._kept.get(os.getpid())
        if line is None or line.lost:
            line = Line(open_connection(target, settings))
            self._kept[os.getpid()] = line
        return line


class Line:
    """A connection that stays open when its user has done with it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.via = connection.via
        self.fingerprint = connection.fingerprint
        self.direct = connection.direct
        self.openssh_for = connection.openssh_for
        self.lost = False

    def run_script(self, script: bytes, *, timeout: float, max_output: int) -> Output:
        """As the connection does it; whatever goes wrong, the next user gets another one."""
        try:
            return self._connection.run_script(script, timeout=timeout, max_output=max_output)
        except BaseException:
            self.lost = True
            self._connection.close()
            raise

    def close(self) -> None:
        """Left to the end of the process."""


@contextlib.contextmanager
def _kept_line(guest: Guest) -> Iterator[None]:
    """The sweep's own questions share one connection; without it, each would open its own."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            lab_guest, "SSH_OPTIONS", (*lab_guest.SSH_OPTIONS, "-o", f"ControlPath={folder}/line")
        )
        nowhere = subprocess.DEVNULL
        line = subprocess.Popen(
            [*guest.ssh_command(), "-M", "-N"], stdin=nowhere, stdout=nowhere, stderr=nowhere
        )
        try:
            yield
        finally:
            line.terminate()
            line.wait()


class Faults:
    """One host, its plan, and how it was before: what holds after each fault."""

    def __init__(self, host: Remedied) -> None:
        self.host = host
        self.made = host.plan()
        assert self.made.ready, self.made.blocked
        self.before = (host.etc(), host.value())
        self.began = time.monotonic()

    def check_files_whole(self) -> None:
        """Each file is as before or as planned, never half of either."""
        for step, found in zip(file_steps(self.made), self._sums(), strict=True):
            assert found in (step.before_sha256, step.after_sha256), step.path

    def _sums(self) -> list[str]:
        """The hash of each planned file, - where there is none."""
        paths = " ".join(step.path for step in file_steps(self.made))
        asked = f'for one in {paths}; do [ -e "$one" ] && sha256sum <"$one" || echo -; done'
        return [line.split()[0] for line in self.host.guest.ssh(asked).stdout.splitlines()]

    def as_before(self, where: object) -> None:
        """All of /etc, leftovers too, and the running value are what they were."""
        etc, _, value = self.host.guest.ssh(f"{ETC}; cat {VALUE}").stdout.partition("\n")
        assert (f"{etc}\n", value.strip()) == self.before, where

    def complete(self, where: object) -> None:
        """The next run does what is left: files and value are as the first one wanted them."""
        left = self.host.plan()
        if left.steps:
            report = self.host.apply(left)
            assert report.complete, (where, report)
            assert not report.unsettled, (where, report)
        assert self.host.value() == "0", where
        assert self._sums() == [step.after_sha256 for step in file_steps(self.made)], where

    def back(self, where: object, *runs: str) -> None:
        """The runs are undone, the last first, and no trace of them is left in /etc."""
        for run in reversed(runs):
            report = self.host.undo(run)
            assert report.undo_complete, (where, run, report)
        self.as_before(where)
        self.progress(where)

    def progress(self, where: object) -> None:
        """A sign of life: how far it is, and since when."""
        took = time.monotonic() - self.began
        print(f"{where} ({took:.0f} s)", end=" ", flush=True)  # noqa: T201  # progress

    def tell(self, what: str) -> None:
        where = f"{self.host.guest.series} {self.host.policy.remedy}"
        took = time.monotonic() - self.began
        print(f"\nfaults: {where}: {what}, 0 wrong, in {took:.0f} s", flush=True)  # noqa: T201  # the sweep\'s figures

    def halted(self, point: int, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, str]:
        """Do the plan, killed at a point; whether it came to its end, and the run."""
        done = False
        monkeypatch.setenv(HALT, str(point))
        with contextlib.suppress(TransportError):
            done = self.host.apply(self.made).complete
        monkeypatch.delenv(HALT)
        self.check_files_whole()
        return done, f"r{self.host.runs}"


def test_killed_at_every_point(host: Remedied, monkeypatch: pytest.MonkeyPatch) -> None:
    faults, done = Faults(host), False
    for point in range(1, _LAST + 1):
        done, run = faults.halted(point, monkeypatch)
        faults.back(point, run)
        _, run = faults.halted(point, monkeypatch)
        faults.complete(point)
        faults.back(point, *dict.fromkeys((run, f"r{host.runs}")))
        if done:
            break
    assert done or _LAST < _MOST
    faults.tell(f"changing killed at {point - 1} points, each rolled back and each completed")


def test_undoing_killed_at_every_point(host: Remedied, monkeypatch: pytest.MonkeyPatch) -> None:
    faults, done = Faults(host), False
    for point in range(1, _LAST + 1):
        assert host.apply(faults.made).complete
        monkeypatch.setenv(HALT_UNDO, str(point))
        with contextlib.suppress(TransportError):
            done = host.undo().complete
        monkeypatch.delenv(HALT_UNDO)
        faults.check_files_whole()
        faults.back(point, f"r{host.runs}")
        if done:
            break
    assert done or _LAST < _MOST
    faults.tell(f"undoing killed at {point - 1} points, each undone again")


def test_the_line_cut_at_many_moments(host: Remedied) -> None:
    faults = Faults(host)
    began = time.monotonic()
    assert host.apply(faults.made).complete
    took = time.monotonic() - began
    faults.back("uncut", f"r{host.runs}")
    for number in range(MOMENTS):
        _cut(host, faults.made, took * number / MOMENTS)
        faults.check_files_whole()
        faults.back(number, f"r{host.runs}")
    faults.tell(f"the line cut at {MOMENTS} moments over {took:.1f} s, each rolled back")


def _cut(host: Remedied, made: Plan, after: float) -> None:
    """Apply a plan, and close the connection some seconds after it began."""
    host.runs += 1
    access = host.access(f"r{host.runs}")
    name = host.guest.name
    connection = open_connection(access.targets[name], access.settings)
    timer = threading.Timer(after, connection.close)
    timer.start()
    with contextlib.suppress(TransportError, OSError, EOFError):
        apply_plan(connection, made, access.run, who=access.who, host=name, timeout=60)
    timer.cancel()
    connection.close()


class Dying(Journal):
    """Kills its process before (odd points) or after (even points) one of its records."""

    point = 0
    _passed = 0

    def record(self, event: Event, host: str = "", **more: Any) -> None:
        self._die()
        super().record(event, host, **more)
        self._die()

    def _die(self) -> None:
        self._passed += 1
        if self._passed == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


class Judge:
    """The verdicts and the plan of a host, as a run's own judge gives them."""

    def __init__(self, host: Remedied) -> None:
        self._host = host

    def judge(self, _name: str, evidence: Any) -> Any:
        return self._host.results(evidence)

    def remediable(self, _name: str) -> frozenset[str]:
        return frozenset({"EST-2", "EST-3", "EST-4", "EST-5", "EST-6"})

    def plan(self, _name: str, evidence: Any) -> Plan:
        return self._host.plan(evidence)


def _run(host: Remedied, made: Plan, before: Any, path: Path, point: int = 0) -> HostRemediation:
    """A run over the one host, as `--remediate` makes it; its controller dies at the point."""
    name, run = host.guest.name, path.stem
    journal = Dying(path, run=run, who="tests")
    journal.point = point
    with journal:
        return roll_out(
            {name: made},
            {name: before},
            host.access(run),
            Judge(host),
            journal,
            sizes=parse_batches("1"),
            max_failures=0,
            forks=1,
            operator=Operator(StopRequest()),
        )[name]


def _rolled_back(host: Remedied, path: Path) -> None:
    """What `--rollback` does; a run whose journal names no host has touched none."""
    if not path.exists() or not path.read_bytes():
        return
    changes = journals.read_changes(path)
    with Journal(path.with_suffix(".back"), run="back", who="tests") as journal:
        access, operator = host.access("back"), Operator(StopRequest())
        done = roll_back(changes.started, changes, access, journal, forks=1, operator=operator)
    assert {one.status for one in done.values()} <= {RemediationStatus.ROLLED_BACK}, done


def _killed(host: Remedied, faults: Faults, before: Any, path: Path, *, point: int = 0) -> bool:
    """A controller killed at a point; false where it came to its end before."""
    child = _FORK.Process(target=_run, args=(host, faults.made, before, path, point))
    child.start()
    child.join(1200)
    faults.check_files_whole()
    return child.exitcode == -signal.SIGKILL


def test_controller_killed_before_and_after_each_step(host: Remedied, tmp_path: Path) -> None:
    faults = Faults(host)
    before = host.results(host.collect())
    for point in range(1, _LAST + 1):
        path = tmp_path / f"a{host.guest.series}-{point}.jsonl".replace(".", "_", 1)
        killed = _killed(host, faults, before, path, point=point)
        _rolled_back(host, path)
        faults.as_before(point)
        faults.progress(point)
        if not killed:
            break
        path = path.with_name(f"b{path.name}")
        assert _killed(host, faults, before, path, point=point)
        left = host.plan()
        if left.steps:
            again = path.with_name(f"c{path.name}")
            found = _run(host, left, before, again)
            assert found.status is RemediationStatus.REMEDIATED, (point, found)
        faults.complete(point)
        if left.steps:
            _rolled_back(host, again)
        _rolled_back(host, path)
        faults.as_before(point)
    assert _LAST < _MOST or point > len(
        (Event.APPLYING, Event.APPLIED, Event.VERIFIED, Event.HOST_FINISHED)
    )
    faults.tell(f"controller killed at {point - 1} points, each rolled back and each completed")


def test_controller_killed_while_the_host_is_at_work(host: Remedied, tmp_path: Path) -> None:
    faults = Faults(host)
    before = host.results(host.collect())
    began = time.monotonic()
    assert host.apply(faults.made).complete
    took = time.monotonic() - began
    faults.back("unkilled", f"r{host.runs}")
    for number in range(MOMENTS):
        path = tmp_path / f"m{number}.jsonl"
        child = _FORK.Process(target=_run, args=(host, faults.made, before, path))
        child.start()
        child.join(took * number / MOMENTS)
        child.kill()
        child.join()
        _rolled_back(host, path)
        faults.check_files_whole()
        faults.as_before(number)
        faults.progress(number)
    faults.tell(f"controller killed at {MOMENTS} moments over {took:.1f} s, each rolled back")


assert os.environ.get(HALT) is None, f"{HALT} is for this sweep only"
