"""Cases brought into a guest in one go, tried there, and compared with their predictions."""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab import fleet
from lab.oracle.predict import ExpectedResult, predict
from lab.oracle.trial_case import EXECUTABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lab.guest import Guest
    from lab.oracle.trial_case import TrialCase
    from lab.oracle.userlands import Userland

SCRIPT = Path(__file__).with_name("guest.sh")
BATCH = 25
SECONDS_A_CASE = 40
_INSIDE = "/run/oracle"


@dataclass(frozen=True)
class TrialResult:
    """What came of one try.

    Attributes:
        case: the case.
        what: ``sysctl-p``, ``reload``, ``boot`` and so on.
        value: of the key afterwards; ``absent`` where there was none.
        status: exit status of what was tried.
        expected: the prediction.
    """

    case: TrialCase
    what: str
    value: str
    status: int
    expected: ExpectedResult

    @property
    def mismatch(self) -> str:
        """How prediction and truth differ; empty where they agree or none was made."""
        if self.expected.differs:
            return self.expected.differs
        if self.value == "absent" and self.expected.may_stay_unloaded:
            return ""
        if self.expected.value is not None and self.expected.value != self.value:
            return f"predicted {self.expected.value}, the truth is {self.value}"
        if self.expected.fault and self.value == "0" and not self.status:
            return "predicted that the setting does not hold, and it does"
        if self.expected.fails is not None and self.expected.fails != bool(self.status):
            ends = "a failure" if self.expected.fails else "success"
            return f"predicted {ends}, the program exited {self.status}"
        return ""


def boot(kernel: str, userland: Userland, folder: Path) -> Guest:
    """A guest for trials, with a userland's programs."""
    name = f"oracle-{kernel.replace('.', '-')}-{userland.name}"
    return fleet.boot(kernel, folder / name, name=name, suite=userland.suite)


def batches(cases: list[TrialCase]) -> Iterator[list[TrialCase]]:
    """The cases, some at a time: a batch is one ssh."""
    for start in range(0, len(cases), BATCH):
        yield cases[start : start + BATCH]


def write_tree(case: TrialCase, root: Path) -> None:
    """Write a case's tree below a folder; scripts (``#!``, EXECUTABLE) are executable."""
    for path, text in case.files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
        if text.startswith(("#!", EXECUTABLE)):
            file.chmod(0o755)
    for path, target in case.links.items():
        link = root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def run(guest: Guest, userland: Userland, cases: Iterable[TrialCase]) -> list[TrialResult]:
    """Try cases in the guest, which has a userland's programs: a reload of ip_vs.

    Raises:
        GuestError: the guest died, or a batch took too long.
    """
    by_number = {
        f"{place:04}": replace(case, softdep="") for place, case in enumerate(cases)
    }  # the guests' modules.softdep stays as it is
    with tempfile.TemporaryDirectory(prefix="oracle-") as name:
        top = Path(name)
        expected: dict[str, dict[str, ExpectedResult]] = {}
        for number, case in by_number.items():
            root = top / number
            root.mkdir()
            write_tree(case, root)
            expected[number] = predict(root, case, userland)
            (top / f"{number}.tar").write_bytes(packed(root))
            (top / f"{number}.trigger").write_text(f"{case.trigger}\n")
            shutil.rmtree(root)
        (top / SCRIPT.name).write_bytes(SCRIPT.read_bytes())
        archive = packed(top)
    fresh = f"rm -rf {_INSIDE} && mkdir {_INSIDE} && tar -xC {_INSIDE}"
    command = f"{fresh} && sh {_INSIDE}/{SCRIPT.name} {_INSIDE}"
    done = guest.ssh(command, stdin=archive, timeout=60 + SECONDS_A_CASE * len(by_number))
    seen = []
    for line in done.stdout.splitlines():
        number, what, value, status = line.split()
        seen.append(
            TrialResult(by_number[number], what, value, int(status), expected[number][what])
        )
    return seen


def packed(top: Path) -> bytes:
    """A folder as a tar file, owned by root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for entry in sorted(os.listdir(top)):  # noqa: PTH208
            tar.add(top / entry, entry, filter=_as_root)
    return packed.getvalue()


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def shrink(run: Callable[[TrialCase], list[TrialResult]], seen: TrialResult) -> TrialResult:
    """A smallest case that still differs in the same try: files and lines taken away in turn."""
    smaller = True
    while smaller:
        smaller = False
        for case in _smaller(seen.case):
            again = [one for one in run(case) if one.what == seen.what and one.mismatch]
            if again:
                seen, smaller = again[0], True
                break
    return seen


def _smaller(case: TrialCase) -> list[TrialCase]:
    """The case with one file, link or line less."""
    found = []
    for path in case.files:
        rest = {name: text for name, text in case.files.items() if name != path}
        found.append(replace(case, files=rest))
    for path in case.links:
        rest = {name: target for name, target in case.links.items() if name != path}
        found.append(replace(case, links=rest))
    for path, text in case.files.items():
        lines = re.findall(r"[^\n]*\n|[^\n]+", text)
        if len(lines) > 1:
            for place in range(len(lines)):
                less = "".join(lines[:place] + lines[place + 1 :])
                found.append(replace(case, files=case.files | {path: less}))
    return found
