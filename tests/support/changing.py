"""Runs the changing script here, in each shell, on a made-up /etc."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
from typing import TYPE_CHECKING

from ipvs_audit.remedy import script
from ipvs_audit.remedy.plan_steps import KEY_FILE, SetRunningValue, WriteFile
from ipvs_audit.remedy.script_answers import ScriptResult, parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ipvs_audit.remedy.plan_steps import Step

RUN = "2026-11-23T02-00-00Z"
WHO = "ops@controller 1"
HOST = "web1"
#: A key that every namespace has and that is 0 or 1, in place of the one that this kernel lacks.
STAND_IN = "/proc/sys/net/ipv4/ip_forward"


class Box:
    """A made-up /etc, and /var/lib/ipvs-audit beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.state = folder / "state"
        #: What stands in the script, and what is run in its place: faults to order.
        self.swap: dict[str, str] = {}
        (folder / "etc" / "sysctl.d").mkdir(parents=True)
        (folder / "etc" / "modprobe.d").mkdir()

    def path(self, inside: str) -> Path:
        return self.root / inside.lstrip("/")

    def put(self, inside: str, content: bytes, mode: int = 0o644) -> Path:
        path = self.path(inside)
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def apply(
        self,
        steps: Sequence[Step],
        *,
        halt: int = 0,
        run: str = RUN,
        host: str = HOST,
        shell: Sequence[str] = ("sh",),
    ) -> ScriptResult:
        nonce = secrets.token_hex(16)
        text = script.render_apply(
            run, steps, who=WHO, host=host, nonce=nonce, halt=halt, state=str(self.state)
        )
        return self._run(text, nonce, shell)

    def undo(
        self,
        *,
        halt: int = 0,
        run: str = RUN,
        by: str = WHO,
        host: str = HOST,
        shell: Sequence[str] = ("sh",),
    ) -> ScriptResult:
        nonce = secrets.token_hex(16)
        text = script.render_undo(
            run, who=WHO, by=by, host=host, nonce=nonce, halt=halt, state=str(self.state)
        )
        return self._run(text, nonce, shell)

    def _run(self, text: bytes, nonce: str, shell: Sequence[str]) -> ScriptResult:
        text = text.replace(b" /etc/", b" " + os.fsencode(self.root) + b"/etc/")
        text = text.replace(KEY_FILE.encode(), STAND_IN.encode())
        for there, instead in self.swap.items():
            assert there.encode() in text, there
            text = text.replace(there.encode(), instead.encode())
        ran = subprocess.run(
            [*shell, "-c", 's=$(cat); eval "$s"'],
            input=text,
            capture_output=True,
            check=False,
            timeout=300,
        )
        self.said = ran.stderr.decode()
        return parse(ran.stdout, nonce)

    def listing(self, *, fine: bool = True) -> dict[str, str]:
        """All of /etc: type, owner, mode, time (``fine``: below a second) and content of each."""
        found = {}
        for path in sorted((self.root / "etc").rglob("*")):
            about = path.lstat()
            at = about.st_mtime_ns if fine else int(about.st_mtime)
            told = str(path.readlink()) if path.is_symlink() else ""
            if path.is_file() and not told:
                told = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(self.root))] = (
                f"{about.st_mode:o} {about.st_uid} {about.st_gid} {at} {told}"
            )
        return found


def write(path: str, before: bytes | None, after: bytes) -> WriteFile:
    return WriteFile("EST-2", "a test", path, before, after)


def running_value(
    inode: int, before: int, after: int, *, own: bool = False, name: str = "x"
) -> SetRunningValue:
    return SetRunningValue("EST-5", "a test", inode, name, before, after, own)
