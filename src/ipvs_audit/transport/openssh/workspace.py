"""A private folder for this process's OpenSSH clients, and who clears up should it be killed."""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

#: What the path of a control socket may take, below the 104 bytes that every system lets it have.
_LONGEST_FOLDER = 60
#: Reads until this process is gone, and then ends the clients that are left.
_CLEAR_UP = """trap '' HUP INT TERM
read -r _
for f in "$1"/*.pid; do
    [ -f "$f" ] && read -r p <"$f" && kill -9 "-$p"
done
rm -rf -- "$1"
"""


def _place() -> str:
    """Where the folder can lie: its path is short, and a program in it can be run (askpass)."""
    usual = tempfile.gettempdir()
    others = ("/tmp", "/var/tmp", os.environ.get("XDG_RUNTIME_DIR", ""), str(Path.home()))  # noqa: S108  # the folder itself is private
    short = [each for each in (usual, *others) if each and len(each) <= _LONGEST_FOLDER]
    for each in short:
        with contextlib.suppress(OSError):
            if not os.statvfs(each).f_flag & os.ST_NOEXEC and os.access(each, os.W_OK):
                return each
    return short[0]


class Workspace:
    """The folder (mode 700). It goes with this process, also where that is killed."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ipvs-audit-", dir=_place()))
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._texts: dict[str, Path] = {}
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _CLEAR_UP, "sh", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        atexit.register(self.close)

    def next_name(self) -> str:
        """A name in the folder that nobody else has; endings are added to it."""
        return str(self.folder / str(next(self._numbers)))

    def file_with(self, text: str) -> Path:
        """A file with this text, made once."""
        with self._lock:
            if text not in self._texts:
                path = self.folder / f"config{len(self._texts)}"
                path.write_text(text, encoding="utf-8", errors="surrogateescape")
                self._texts[text] = path
            return self._texts[text]

    def close(self) -> None:
        """Remove the folder; whatever client is left is ended."""
        if self._watcher.stdin is not None:
            with contextlib.suppress(OSError):
                self._watcher.stdin.close()
        self._watcher.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_lock = threading.Lock()


def workspace() -> Workspace:
    """This process's own; a forked one gets another.

    Raises:
        OSError: no folder can be made.
    """
    with _lock:
        return _workspace_of(os.getpid())


@functools.cache
def _workspace_of(_process: int) -> Workspace:
    return Workspace()
