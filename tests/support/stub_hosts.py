"""Hosts made of nothing, for the collector's tests."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ipvs_audit.model.target import Target
from ipvs_audit.probe.collector import collect
from ipvs_audit.transport import Limits, Output
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from ipvs_audit.snapshot import Failure, Snapshot

SETTINGS = Settings(limits=Limits(connect=1, deadline=1))
SLOW = replace(SETTINGS, limits=Limits(connect=1, deadline=30))


def answer(script: bytes) -> bytes:
    nonce = re.search(rb"nonce='([0-9a-f]{32})'", script)[1]
    return b"%s host - 1.00 4 6\nechoanswer\n%s end 1\n" % (nonce, nonce)


class Stub:
    """A connection that behaves as it is told."""

    fingerprint = "SHA256:stub"
    via = "stub"
    direct = True
    openssh_for: tuple[str, ...] = ()

    def __init__(self, behave: Any = None) -> None:
        self.behave = behave or (lambda script: Output(0, answer(script), b""))
        self.closed = 0
        self.ended = threading.Event()

    def run_script(self, script: bytes, **_limits: float) -> Any:
        return self.behave(script)

    def close(self) -> None:
        self.closed += 1
        self.ended.set()


def targets(count: int) -> list[Target]:
    return [Target(f"host{number}") for number in range(count)]


def gather(count: int, open_connection: Any, **changes: Any) -> list[Snapshot | Failure]:
    changes.setdefault("settings", SETTINGS)
    return list(collect(targets(count), open_connection=open_connection, **changes))


class Crowd:
    """Counts the hosts that connect and those that are probed."""

    def __init__(self, *, together: int, direct: bool = True, seconds: float = 0) -> None:
        self.direct = direct
        self.seconds = seconds
        self.lock = threading.Lock()
        self.connecting, self.probing = set(), set()
        self.most_connecting = self.most_probing = 0
        self.all_wait = threading.Barrier(together)

    def connect(self, target: Target, _settings: Settings) -> Any:
        with self.lock:
            self.connecting.add(target.name)
            self.most_connecting = max(self.most_connecting, len(self.connecting))
        time.sleep(0.005)
        stub = Stub(lambda script: self.probe(target.name, script))
        stub.direct = self.direct
        with self.lock:
            self.connecting.discard(target.name)
        return stub

    def probe(self, name: str, script: bytes) -> Output:
        with self.lock:
            self.probing.add(name)
            self.most_probing = max(self.most_probing, len(self.probing))
        self.all_wait.wait(20)  # broken, and the host a failure, unless so many wait at a time
        time.sleep(self.seconds)
        with self.lock:
            self.probing.discard(name)
        return Output(0, answer(script), b"")
