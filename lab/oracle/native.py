"""Cases tried on this machine's kernel: a userland's real loaders in namespaces of their own.

Only names are changed: what is ``net.ipv4.vs.run_estimation`` in a case is ``net.ipv4.conf.vs.tag``
in the sandbox (fake_kernel.py says why that key). The model is asked about the case as it is.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from lab import paths
from lab.oracle import userlands
from lab.oracle.cases import RULES
from lab.oracle.predict import NO_HOOK, predict
from lab.oracle.trial import TrialResult, write_tree
from lab.process import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.oracle.trial_case import TrialCase
    from lab.oracle.userlands import Userland

_COMPONENT = r"vs|v\?|v\[\[:alpha:\]\]|\[!a-u\]s"
_NAMES = tuple(
    (re.compile(old), new)
    for old, new in (
        (r"net([./])ipv4\1conf\b", r"net\1ipv4\1route"),
        (
            r"\bnet([./])bridge\b",
            r"net\1absent",
        ),  # no module is loaded, and this kernel may have it
        (r"\bkernel\.panic\b", "net.ipv4.ip_forward"),
        (r"\bvs([./])drop_entry\b", r"vs\1log_martians"),
        (r"\bvs([./])conntrack\b", r"vs\1shared_media"),
        (r"run_\[a-f\]stimation", "t[a-f]g"),
        (r"run_estimatio\[", "ta["),
        (r"run_estim\*", "ta*"),
        (r"run\\_estimation", r"t\\ag"),
        ("RUN_ESTIMATION", "TAG"),
        ("run_estimation", "tag"),
        (rf"([./])({_COMPONENT})(?=[./'\"\s;|&)]|$)", r"\1conf\1\2"),
        (r"(\[\.\]|\\\.)vs\b", r"\1conf\1vs"),  # in a pattern of sysctl --pattern
        (r"ipv4([./])\*(?=[./])", r"ipv4\1conf\1*s"),
    )
)
"""Where a pattern stands for ``vs`` it does so among its neighbours: all, default, lo."""


def renamed(text: str) -> str:
    """A file's text with the sandbox's key in place of ours.

    >>> renamed("net.ipv4.vs.run_estimation = 0")
    'net.ipv4.conf.vs.tag = 0'
    >>> renamed("echo 0 > /proc/sys/net/ipv4/vs/run_estimation")
    'echo 0 > /proc/sys/net/ipv4/conf/vs/tag'
    >>> renamed("net.ipv4.*.run_estimation = 0")
    'net.ipv4.conf.*s.tag = 0'
    >>> renamed("{ systemd-sysctl --prefix=/net/ipv4/vs; }")
    '{ systemd-sysctl --prefix=/net/ipv4/conf/vs; }'
    """
    for pattern, new in _NAMES:
        text = pattern.sub(new, text)
    return text


class Sandbox:
    """A userland that tries cases."""

    def __init__(self, userland: Userland, requests: IO[str], answers: IO[str]) -> None:
        self.userland = userland
        self._requests, self._answers = requests, answers

    def run(self, case: TrialCase) -> list[TrialResult]:
        """Try a case without its udev rules: nothing here would run them.

        Raises:
            LabError: the sandbox has ended.
        """
        files = {path: text for path, text in case.files.items() if path != RULES}
        case = replace(case, files=files)
        with tempfile.TemporaryDirectory(prefix="oracle-") as name:
            write_tree(case, Path(name))
            expected = predict(Path(name), case, self.userland)
        found = self._ask(case)
        command = expected["shown"].value or ""
        expected["shown"] = replace(expected["shown"], value=" ".join(renamed(command).split()))
        shown = found.pop("shown")
        if any("systemctl" in text for text in files.values()):
            del found["reload"], found["boot"]  # no systemd runs here
        results = [
            TrialResult(case, what, value, status, expected[what])
            for what, (value, status) in found.items()
        ]
        return [*results, TrialResult(case, "show-depends", _hook(shown), 0, expected["shown"])]

    def _ask(self, case: TrialCase) -> dict[str, Any]:
        request = {
            "files": {path: renamed(text) for path, text in case.files.items()},
            "links": case.links,
            "trigger": case.trigger,
            "softdep": case.softdep,
        }
        try:
            self._requests.write(json.dumps(request) + "\n")
            self._requests.flush()
            answer = self._answers.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise LabError(f"the sandbox of {self.userland.name} ended at case {case.number}")
        found: dict[str, Any] = json.loads(answer)
        return found


@contextmanager
def sandbox(userland: Userland) -> Iterator[Sandbox]:
    """A sandbox of a userland; ends with the block.

    Raises:
        LabError: the userland cannot be built, or this user may not make namespaces.
    """
    root = userlands.ensure(userland)
    with tempfile.TemporaryDirectory(prefix="oracle-") as work:
        process = subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"),
                *("--propagation", "private", sys.executable, "-m", "lab.oracle.sandbox"),
                *(root, work),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=paths.HERE.parent,
        )
        try:
            with cast("IO[str]", process.stdin) as requests:
                yield Sandbox(userland, requests, cast("IO[str]", process.stdout))
        finally:
            process.wait(timeout=60)


def _hook(shown: list[str]) -> str:
    """The command that a load of ip_vs runs, as ``modprobe --show-depends`` shows it, last."""
    commands = [line for line in shown if line.startswith("install ")]
    if any("/ip_vs.ko" in line for line in shown) or not commands:
        return NO_HOOK
    if shown[-1].startswith("insmod /lib/modules/"):
        return NO_HOOK  # of a module that is needed, and ip_vs is an alias of another one
    last = shown[shown.index(commands[-1]) :]
    return " ".join(" ".join(last).removeprefix("install ").split())
