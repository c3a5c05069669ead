"""Collecting with several processes, over connections made of nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from stub_hosts import SETTINGS, SLOW, Stub, answer, gather, targets

from ipvs_audit.model import limits
from ipvs_audit.probe import process_work, processes
from ipvs_audit.probe.process_pipe import BrokenFrameError, Kind, Received, framed
from ipvs_audit.probe.processes import CollectingProcesses
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import Limits, Output, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipvs_audit.model.target import Target

#: No wait of these tests is longer, on whatever machine.
LONG = 60.0


def wait_until(condition: Callable[[], object]) -> bool:
    end = time.monotonic() + LONG
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No process and no descriptor outlives a test."""
    before = open_files()
    yield
    assert open_files() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def collected(count: int, hosts: int, connect: Any, **changes: Any) -> list[Snapshot | Failure]:
    with started(count, hosts, connect, **changes) as there:
        return list(there.evidence())


def started(
    count: int, hosts: int, connect: Any, **changes: Any
) -> contextlib.closing[CollectingProcesses]:
    changes.setdefault("settings", SLOW)
    return contextlib.closing(
        CollectingProcesses(count, targets(hosts), open_connection=connect, **changes)
    )


def nonce_of(script: bytes) -> str:
    return re.search(rb"nonce='([0-9a-f]{32})'", script)[1].decode()


def saying(word: Callable[[bytes], str]) -> Any:
    """Connects to hosts whose one section holds that word."""

    def behave(script: bytes) -> Output:
        nonce, said = nonce_of(script), word(script)
        frames = f"{nonce} host - 1.00 4 {len(said)}\necho{said}\n{nonce} end 1\n"
        return Output(0, frames.encode(), b"")

    return lambda *_: Stub(behave)


def words(evidence: list[Snapshot | Failure]) -> list[str]:
    return [one.sections["host"].output for one in evidence if isinstance(one, Snapshot)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_they_bring_what_one_brings(count: int) -> None:
    def connect(target: Target, _settings: Any) -> Any:
        if target.name == "host3":
            raise TransportError("authentication", f"{target.name}: no way in")
        if target.name == "host4":
            return Stub(lambda _script: Output(1, b"garbage", b""))
        return Stub()

    def told(evidence: list[Snapshot | Failure]) -> list[Any]:
        return sorted(
            (one.target, one.kind, one.message)
            if isinstance(one, Failure)
            else (one.target, one.collection.probe, str(one.sections))
            for one in evidence
        )

    assert told(collected(count, 20, connect)) == told(gather(20, connect, settings=SLOW))


def test_each_process_takes_hosts_and_no_nonce_comes_twice() -> None:
    def connect(*_: Any) -> Any:
        time.sleep(0.02)  # or one of them could be done before the others have begun
        return saying(lambda script: f"{os.getpid()} {nonce_of(script)}")()

    found = [word.split() for word in words(collected(3, 60, connect, forks=3))]
    assert len({process for process, _ in found}) == 3
    assert str(os.getpid()) not in {process for process, _ in found}
    assert len({nonce for _, nonce in found}) == 60


def test_a_slow_host_holds_up_no_other(tmp_path: Path) -> None:
    def behave(target: Target, script: bytes) -> Output:
        if target.name == "host0":
            wait_until((tmp_path / "go").exists)
        return Output(0, answer(script), b"")

    def connect(target: Target, _settings: Any) -> Any:
        return Stub(lambda script: behave(target, script))

    order = []
    with started(
        2, 12, connect, forks=2, settings=replace(SLOW, limits=Limits(deadline=600))
    ) as it:
        for one in it.evidence():
            order.append(one.target)
            if len(order) == 11:
                (tmp_path / "go").touch()
    assert order[-1] == "host0"


def test_all_together_connect_to_no_more_than_forks(tmp_path: Path) -> None:
    def connect(target: Target, _settings: Any) -> Any:
        mine = tmp_path / target.name
        mine.touch()
        time.sleep(0.02)
        seen = len(list(tmp_path.iterdir()))
        mine.unlink()
        return saying(lambda _script: str(seen))()

    most = max(map(int, words(collected(3, 60, connect, forks=5))))
    assert 3 <= most <= 5


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1])
def test_a_lost_process_costs_the_hosts_that_it_had_and_they_are_named(number: int) -> None:
    def connect(target: Target, _settings: Any) -> Any:
        if target.name == "host3":
            os.kill(os.getpid(), number)
        return Stub()

    with started(2, 30, connect, forks=2) as there:
        evidence = {one.target: one for one in there.evidence()}
    assert len(evidence) == 30
    (lost,) = [one for one in evidence.values() if isinstance(one, Failure)]
    assert (lost.target, lost.kind) == ("host3", "protocol")
    assert lost.message == (
        f"host3: the process that collected it was ended by signal {number:d}"
        f" ({signal.strsignal(number)}); audit it again"
    )
    (note,) = there.notes
    assert "1 host not audited (host3)" in note


def test_where_all_are_lost_every_host_is_told_of() -> None:
    def connect(*_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    evidence = collected(2, 30, connect, forks=2)
    assert sorted(one.target for one in evidence) == sorted(one.name for one in targets(30))
    assert {one.kind for one in evidence} == {"protocol"}
    unheard = [
        one
        for one in evidence
        if "no process was left to collect it; audit it again" in one.message
    ]
    assert len(unheard) == 28


def test_a_process_that_stands_still_is_ended_and_its_hosts_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PROCESSES_SILENT", 1.0)
    monkeypatch.setattr(limits, "DEADLINE_OVERRUN", 0.5)

    def connect(target: Target, _settings: Any) -> Any:
        if target.name == "host3":
            os.kill(os.getpid(), signal.SIGSTOP)
        return Stub()

    settings = replace(SETTINGS, limits=Limits(deadline=0.5))
    evidence = collected(2, 30, connect, forks=2, settings=settings)
    lost = {one.target: one.message for one in evidence if "told of no host" in str(one)}
    assert list(lost) == ["host3"]
    assert len(evidence) == 30


def test_a_fault_of_ours_in_a_process_is_told_with_each_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(**_: Any) -> Iterator[Any]:
        raise ZeroDivisionError("distinctive-secret")
        yield

    monkeypatch.setattr(processes, "collect", lambda *_, **more: broken(**more))
    evidence = collected(2, 4, lambda *_: Stub())
    assert [one.kind for one in evidence] == ["protocol"] * 4
    assert "distinctive-secret" not in str(evidence)

    def taking(hosts: Any, **more: Any) -> Iterator[Any]:
        next(iter(hosts))
        yield from broken(**more)

    monkeypatch.setattr(processes, "collect", taking)
    messages = [one.message for one in collected(1, 1, lambda *_: Stub())]
    how = "ended by an unexpected ZeroDivisionError"
    assert messages == [f"host0: the process that collected it {how}; audit it again"]


def test_what_is_no_evidence_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_work.store, "to_line", lambda _one: b'{"schema": "other"}')
    evidence = collected(2, 4, lambda *_: Stub())
    assert [one.kind for one in evidence] == ["protocol"] * 4


def test_the_most_that_a_host_may_send_gets_through() -> None:
    size = limits.SECTION_OUTPUT - 100
    count = limits.SCRIPT_OUTPUT // size

    def behave(script: bytes) -> Output:
        nonce = nonce_of(script).encode()
        frames = [
            b"%s part%d - 1.00 4 %d\necho%s\n" % (nonce, number, size, b"\x01" * size)
            for number in range(count)
        ]
        return Output(0, b"".join(frames) + b"%s end %d\n" % (nonce, count), b"")

    (evidence,) = collected(1, 1, lambda *_: Stub(behave))
    assert isinstance(evidence, Snapshot)
    assert sum(len(one.output) for one in evidence.sections.values()) == size * count


@pytest.mark.parametrize("data", [b"\x09\0\0\0\0", framed(Kind.LOG, b"")[:1] + b"\xff" * 4])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    received = Received()
    received.add(data)
    with pytest.raises(BrokenFrameError):
        list(received.frames())


def test_processes_wait_for_who_takes_what_they_bring(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    opened.touch()

    def connect(*_: Any) -> Any:
        with opened.open("a") as file:
            file.write("x")
        return saying(lambda _script: "y" * 100_000)()

    def settled() -> bool:
        before = opened.stat().st_size
        time.sleep(0.5)
        return before == opened.stat().st_size

    with started(2, 300, connect, forks=4) as there:
        evidence = there.evidence()
        next(evidence)
        assert wait_until(settled)
        # Of each: two under way, two that are done, one in its pipe; and what was read already.
        assert opened.stat().st_size < 20
        assert 1 + len(list(evidence)) == 300


def held(folder: Path) -> Any:
    """Connects to hosts that answer when they are closed; all but the first."""

    class Held(Stub):
        def close(self) -> None:
            super().close()
            (folder / f"closed-{id(self)}-{os.getpid()}").touch()

    def connect(target: Target, _settings: Any) -> Any:
        if target.name == "host0":
            return Stub()
        stub = Held()
        (folder / f"opened-{id(stub)}-{os.getpid()}").touch()
        stub.behave = lambda _script: stub.ended.wait(LONG) and Output(0, b"", b"")
        return stub

    return connect


def test_an_interrupt_accounts_for_every_host_and_closes_what_is_open(tmp_path: Path) -> None:
    evidence: list[Any] = []

    def drain(results: Any) -> None:
        for one in results:
            evidence.append(one)  # noqa: PERF402  # what came before an exception must stay

    with started(2, 30, held(tmp_path), forks=4) as there:
        results: Any = there.evidence()
        evidence.append(next(results))
        assert wait_until(lambda: len(list(tmp_path.glob("opened-*"))) == 4)
        evidence.append(results.throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            drain(results)
    assert isinstance(evidence[0], Snapshot)
    assert sorted(one.target for one in evidence) == sorted(one.name for one in targets(30))
    assert {one.kind for one in evidence[1:]} == {"interrupted"}
    assert len(list(tmp_path.glob("closed-*"))) == 4


@pytest.fixture(params=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """As a test runner has it: the kernel gives a signal to the thread that does not block it."""
    end = threading.Event()
    others = [threading.Thread(target=end.wait)] if request.param == "two threads" else []
    for each in others:
        each.start()
    yield
    end.set()
    for each in others:
        each.join()


@pytest.mark.usefixtures("threads")
def test_an_interrupt_while_they_are_started_ends_those_that_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, pids = os.fork, []

    def fork() -> int:
        pids.append(really())
        if pids[-1] and len(pids) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)  # for whoever takes it
        return pids[-1]

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(KeyboardInterrupt):
        started(3, 30, held(tmp_path), forks=6)
    assert len(pids) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_they_are_started_is_taken_as_ever(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, taken, early = os.fork, [], []

    def fork() -> int:
        pid, before = really(), len(taken)
        if pid:
            os.kill(os.getpid(), number)
            early.append(len(taken) - before)
        return pid

    def take(*_: object) -> None:
        taken.append(number)

    before = signal.signal(number, take)
    try:
        monkeypatch.setattr(os, "fork", fork)
        assert len(collected(2, 4, lambda *_: Stub())) == 4
        assert (taken, early) == ([number] * 2, [0] * 2)
        assert signal.getsignal(number) is take
    finally:
        signal.signal(number, before)


def test_who_walks_away_from_the_evidence_ends_what_is_under_way(tmp_path: Path) -> None:
    with started(2, 30, held(tmp_path), forks=4) as there:
        next(iter(there.evidence()))
        assert wait_until(lambda: len(list(tmp_path.glob("opened-*"))) == 4)
    assert len(list(tmp_path.glob("closed-*"))) == 4


def test_a_process_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROCESSES_END", 0.5)

    class Stuck(Stub):
        def close(self) -> None:
            threading.Event().wait(LONG)

    def connect(target: Target, _settings: Any) -> Any:
        return Stub() if target.name == "host0" else Stuck(lambda _script: time.sleep(LONG))

    with started(2, 6, connect, forks=2) as there:
        next(iter(there.evidence()))  # and walks away

    with started(2, 6, connect, forks=2) as there:
        results: Any = there.evidence()
        evidence = [next(results), results.throw(KeyboardInterrupt)]
        with pytest.raises(KeyboardInterrupt):
            evidence.extend(results)
    assert isinstance(evidence[0], Snapshot)


ALONE = """\
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from time import sleep
from test_processes import held, large, started
folder = Path({folder!r})
with started(2, 30, held(folder), forks=4) as there:
    print(*(one.pid for one in there._processes), flush=True)
    try:
        for one in there.evidence():
            print(one.target, getattr(one, "kind", "fine"), flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@contextlib.contextmanager
def program(code: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    path = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]
    process = subprocess.Popen(
        [sys.executable, "-c", code.format(path=path, folder=str(folder))],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program of its own that collects four hosts at a time, which wait."""
    with program(ALONE, tmp_path) as process:
        assert wait_until(lambda: len(list(tmp_path.glob("opened-*"))) == 4)
        yield process


def test_no_process_outlives_one_that_is_killed(
    alone: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert alone.stdout is not None
    pids = alone.stdout.readline().split()
    assert len(pids) == 2
    alone.kill()
    assert wait_until(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in pids))
    assert len(list(tmp_path.glob("closed-*"))) == 4


def test_no_process_outlives_one_that_is_killed_and_has_not_read_what_came(tmp_path: Path) -> None:
    code = ALONE.replace("held(folder)", "large(folder)").replace(
        "print(one.", "sleep(600); print(one."
    )
    with program(code, tmp_path) as alone:
        assert alone.stdout is not None
        pids = alone.stdout.readline().split()
        assert len(pids) == 2
        # More than the pipes hold, so that somebody waits or is about to.
        assert wait_until(lambda: len(list(tmp_path.iterdir())) >= 4)
        alone.kill()
        assert wait_until(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in pids))


def large(folder: Path) -> Any:
    """Connects to hosts that send more than a pipe holds."""

    def word(script: bytes) -> str:
        (folder / nonce_of(script)).touch()
        return "y" * 200_000

    return saying(word)


def test_ctrl_c_in_a_terminal_reaches_all_of_them_and_is_taken_by_one(
    alone: subprocess.Popen[str], tmp_path: Path
) -> None:
    os.killpg(alone.pid, signal.SIGINT)
    out, _ = alone.communicate(timeout=LONG)
    _, *hosts, end = out.splitlines()
    assert end == "interrupted", out
    assert sorted(hosts) == sorted(
        ["host0 fine", *(f"host{number} interrupted" for number in range(1, 30))]
    )
    assert len(list(tmp_path.glob("closed-*"))) == 4


def test_programs_that_they_start_take_signals_as_those_of_this_one_do() -> None:
    def signals(*_: Any) -> str:
        told = ["grep", "-E", "SigBlk|SigIgn", "/proc/self/status"]
        return subprocess.run(told, capture_output=True, text=True, check=True).stdout

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert words(collected(2, 2, saying(signals))) == [signals()] * 2
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_a_run_ends_no_process_by_itself(number: int) -> None:
    def connect(target: Target, _settings: Any) -> Any:
        if target.name == "host3":
            os.kill(os.getpid(), number)
        return Stub()

    assert all(isinstance(one, Snapshot) for one in collected(2, 10, connect, forks=2))


def test_log_lines_and_warnings_come_out_as_without_processes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def connect(target: Target, _settings: Any) -> Any:
        logging.getLogger("somebody").warning("about %s", target.name)
        warnings.warn(f"{target.name} is odd", DeprecationWarning, stacklevel=1)
        return Stub()

    with pytest.warns(DeprecationWarning, match="is odd") as warned:
        collected(2, 4, connect)
    odd = sorted(str(one.message) for one in warned)
    assert odd == [f"host{number} is odd" for number in range(4)]
    assert {Path(one.filename) for one in warned} == {Path(__file__)}
    lines = sorted((one.name, one.levelname, one.getMessage()) for one in caplog.records)
    assert lines == [("somebody", "WARNING", f"about host{number}") for number in range(4)]


def test_fewer_processes_than_asked_for_collect_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    really, calls = os.fork, []

    def fork() -> int:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(11, "Resource temporarily unavailable")
        return really()

    monkeypatch.setattr(os, "fork", fork)
    with started(3, 10, lambda *_: Stub()) as there:
        assert all(isinstance(one, Snapshot) for one in there.evidence())
    assert there.notes == [
        "1 of 3 processes collect: no more could be started (Resource temporarily unavailable)."
    ]

    with pytest.raises(OSError, match="Resource"):
        started(3, 10, lambda *_: Stub())
