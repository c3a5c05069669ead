"""Collecting with several processes, since Python runs the threads of one on one core at a time.

Each is a fork of this one, takes one host after the other from those that all share, collects it
as :mod:`~ipvs_audit.probe.collector` does, and sends what it gave through a pipe. A process waits
where its pipe is full, so nothing piles up; one that is lost is told of with each of its hosts.
"""

from __future__ import annotations

import os
import selectors
import time
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.model.text import counted
from ipvs_audit.probe import script
from ipvs_audit.probe.child_process import ChildProcess
from ipvs_audit.probe.collect_host import failure
from ipvs_audit.probe.collector import collect
from ipvs_audit.probe.process_pipe import BrokenFrameError, Kind
from ipvs_audit.probe.process_work import signals_wait, tell, work
from ipvs_audit.probe.shared_hosts import SharedHosts
from ipvs_audit.snapshot import store
from ipvs_audit.transport.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.model.target import Target
    from ipvs_audit.snapshot import Failure, Snapshot
    from ipvs_audit.transport import Connection, FailureKind
    from ipvs_audit.transport.settings import Settings

#: Seconds between two looks for a process that is about to end.
_LOOK_AGAIN = 0.02


class CollectingProcesses:
    """Processes that collect hosts, to be closed in the end.

    It forks when it is made: no other thread may run then, and no connection be open.

    Attributes:
        notes: what to tell of processes that could not be started, or have ended too early.
    """

    def __init__(
        self,
        count: int,
        targets: Sequence[Target],
        *,
        settings: Settings,
        open_connection: Callable[[Target, Settings], Connection],
        policies: Mapping[str, Policy] | None = None,
        forks: int = limits.FORKS,
        under_way: int = 0,
        editable_files: bool = False,
    ) -> None:
        """Start them; see :func:`.collector.collect` for what is not told here.

        Args:
            count: how many processes; fewer where there are fewer hosts or forks.
            targets: the hosts.
            settings: how to connect, and the limits of each host.
            open_connection: opens a connection to one of them.
            policies: by inventory name.
            forks: hosts connected to at a time by all processes together.
            under_way: hosts under way at a time, likewise.
            editable_files: bring the files that a plan may change, whole.

        Raises:
            OSError: no process can be started.
        """
        self.notes: list[str] = []
        self._targets = targets
        self._left = {target.name: target for target in targets}
        self._started = utc_timestamp()
        self._silence = settings.limits.deadline + limits.DEADLINE_OVERRUN + limits.PROCESSES_SILENT
        self._hosts = SharedHosts(len(targets))
        self._processes: list[ChildProcess] = []
        self._control, self._control_end = os.pipe()
        script.digest()  # puts the probe together, once for all of them
        count = max(1, min(count, len(targets), forks))

        def results(
            number: int, stop: Callable[[], bool]
        ) -> Generator[Snapshot | Failure, None, None]:
            def share(whole: int) -> int:
                return whole // count + (number <= whole % count)

            return collect(
                self._taken_by(number),
                settings=settings,
                open_connection=open_connection,
                policies=policies,
                forks=share(forks),
                under_way=share(under_way),
                editable_files=editable_files,
                stop=stop,
            )

        try:
            for number in range(1, count + 1):
                self._fork(number, results)
        except OSError as wrong:
            if not self._processes:
                self.close()
                raise
            self.notes.append(
                f"{len(self._processes)} of {count} processes collect: no more could be started"
                f" ({wrong.strerror})."
            )
        except BaseException:  # Ctrl-C: nobody has this object to close it
            self.close()
            raise

    def _taken_by(self, number: int) -> Iterator[Target]:
        while (place := self._hosts.take(number)) is not None:
            yield self._targets[place]

    def _fork(
        self,
        number: int,
        results: Callable[[int, Callable[[], bool]], Generator[Snapshot | Failure, None, None]],
    ) -> None:
        """Start a process.

        Raises:
            OSError: this machine cannot start more, or open more files.
        """
        with signals_wait():
            pipe, theirs = os.pipe()
            try:
                pid = os.fork()
                if pid == 0:
                    self._become(number, results, pipe, theirs)
                self._processes.append(ChildProcess(number, pid, pipe))
            except OSError:
                os.close(pipe)
                raise
            finally:
                os.close(theirs)

    def _become(
        self,
        number: int,
        results: Callable[[int, Callable[[], bool]], Generator[Snapshot | Failure, None, None]],
        reading: int,
        writing: int,
    ) -> None:
        """Be that process, to its end. Nothing of the one that forked it may run on here."""
        status = 1
        try:
            # Or this process would not be told, by the end of its pipes, that the other is gone.
            for each in (self._control_end, reading, *(other.pipe for other in self._processes)):
                os.close(each)
            work(lambda stop: results(number, stop), writing, self._control)
            status = 0
        finally:
            os._exit(status)

    def evidence(self) -> Iterator[Snapshot | Failure]:
        """Exactly one snapshot or failure for each host, as they come in.

        Interrupted, it is as :func:`.collector.collect` is.
        """
        try:
            yield from self._gathered()
        except KeyboardInterrupt:
            self._ask_to_end()
            yield from self._gathered(Deadline.after(limits.PROCESSES_END))
            self._kill()
            for target in list(self._left.values()):
                yield self._failed(
                    target,
                    "interrupted",
                    "the run was interrupted before this host was finished",
                )
            raise
        for target in list(self._left.values()):
            yield self._failed(
                target, "protocol", "no process was left to collect it; audit it again"
            )

    def _gathered(self, until: Deadline | None = None) -> Iterator[Snapshot | Failure]:
        """What the processes send, until all have ended or the time is up."""
        silent = 0.0
        with selectors.DefaultSelector() as selector:
            for process in self._processes:
                if process.pipe >= 0:
                    selector.register(process.pipe, selectors.EVENT_READ, process)
            while selector.get_map() and not (until and until.over()):
                ready = selector.select(limits.INTERRUPT_CHECK)
                # Counted, not read from a clock: this process may have been stopped meanwhile.
                silent = 0.0 if ready else silent + limits.INTERRUPT_CHECK
                if silent > self._silence:
                    self._kill(f"told of no host for {self._silence:g} s and was ended")
                for key, _ in ready:
                    if not (yield from self._read(key.data)):
                        selector.unregister(key.fileobj)
                        key.data.close_pipe()
                        key.data.wait()
                        if until is None:
                            yield from self._lost_with(key.data)

    def _read(self, process: ChildProcess) -> Generator[Snapshot | Failure, None, bool]:
        """What has come of one process; false where no more can."""
        data = os.read(process.pipe, limits.READ_SIZE)
        process.received.add(data)
        try:
            for kind, body in process.received.frames():
                if kind == Kind.EVIDENCE:
                    evidence = store.from_line(body)
                    if self._left.pop(evidence.target, None) is not None:
                        yield evidence
                elif kind == Kind.FAULT:
                    process.how = f"ended by an unexpected {body.decode()}"
                else:
                    tell(kind, body)
        except (BrokenFrameError, ValueError):
            process.kill("sent what is no evidence and was ended")
            return False
        return bool(data)

    def _lost_with(self, process: ChildProcess) -> Iterator[Failure]:
        """The hosts that a process had taken when it ended."""
        places = self._hosts.taken_by(process.number)
        hosts = [target for place in places if (target := self._targets[place]).name in self._left]
        if hosts:
            self.notes.append(
                f"A process that collects {process.how}: {counted(len(hosts), 'host')} not audited"
                f" ({hosts[0].name}{' ...' if len(hosts) > 1 else ''})."
            )
        for target in hosts:
            why = f"the process that collected it {process.how}; audit it again"
            yield self._failed(target, "protocol", why)

    def _failed(self, target: Target, kind: FailureKind, why: str) -> Failure:
        del self._left[target.name]
        return failure(target, kind, f"{target.name}: {why}", self._started)

    def _ask_to_end(self) -> None:
        """Let the processes stop in order."""
        if self._control_end >= 0:
            end, self._control_end = self._control_end, -1
            os.close(end)

    def _kill(self, how: str = "") -> None:
        for process in self._processes:
            process.kill(how)

    def close(self) -> None:
        """End what is left of the processes, and wait for them: none outlives this."""
        try:
            self._ask_to_end()
            for process in self._processes:
                process.close_pipe()
            until = Deadline.after(limits.PROCESSES_END)
            while not all(process.has_ended() for process in self._processes):
                if until.over():
                    break
                time.sleep(_LOOK_AGAIN)
        finally:
            for process in self._processes:
                process.kill()
                process.wait()
            os.close(self._control)
            self._hosts.close()
