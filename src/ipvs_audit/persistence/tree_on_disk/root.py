"""Files of a tree on disk as its own root sees them: links never lead out of it.

Nothing but regular files is opened, and none beyond a size: a mounted image may be hostile.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

_MOST_LINKS = 40
LARGEST = 1024 * 1024


class UnreadableError(Exception):
    """A file cannot be read; says why in a few words."""


@dataclass(frozen=True, slots=True)
class Root:
    """The top of a file tree.

    >>> Root(Path("/mnt/image")).real("/etc/sysctl.d/99-sysctl.conf")  # doctest: +SKIP
    '/etc/sysctl.conf'
    """

    top: Path

    def real(self, path: str) -> str:
        """The path after all links, within the tree; empty for one that leads nowhere.

        ``/dev/null`` is itself, whether the tree has it or not.
        """
        done: list[str] = []
        ahead = [part for part in path.split("/") if part][::-1]
        links = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                done = done[:-1]
                continue
            if part == ".":
                continue
            here = "/".join(["", *done, part])
            if here == "/dev" and ahead == ["null"]:
                return "/dev/null"
            try:
                mode = os.lstat(self._outside(here)).st_mode
                outside = Path(self._outside(here))
                target = str(outside.readlink()) if stat.S_ISLNK(mode) else ""
            except (OSError, ValueError):
                return ""
            if not target:
                done.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                return ""
            if target.startswith("/"):
                done = []
            ahead += [step for step in target.split("/") if step][::-1]
        return "/" + "/".join(done)

    def names(self, directory: str) -> list[str]:
        """The names in a directory, sorted; none where there is no such directory.

        Raises:
            UnreadableError: it is there and cannot be listed.
        """
        real = self.real(directory)
        if not real:
            return []
        try:
            return sorted(entry.name for entry in Path(self._outside(real)).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise UnreadableError(error.strerror or "cannot be listed") from error

    def stat(self, real: str) -> os.stat_result:
        """The metadata of a path without links.

        Raises:
            UnreadableError: there is no such file, or it is no regular one.
        """
        try:
            found = os.lstat(self._outside(real))
        except OSError as error:
            raise UnreadableError(error.strerror or "cannot be seen") from error
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableError("not a regular file")
        return found

    def read(self, real: str, largest: int = LARGEST) -> bytes:
        """The content of a regular file of at most so many bytes.

        Raises:
            UnreadableError: it cannot be read, is too large, or is no regular file.
        """
        if self.stat(real).st_size > largest:
            raise UnreadableError(f"larger than {largest // 1024} KiB")
        try:
            # NONBLOCK and NOFOLLOW: the file may have changed since it was looked at.
            file = os.open(self._outside(real), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            with open(file, "rb") as opened:  # noqa: PTH123  # a descriptor has no path
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise UnreadableError("not a regular file")
                return opened.read(largest)
        except OSError as error:
            raise UnreadableError(error.strerror or "cannot be read") from error

    def exists(self, path: str) -> bool:
        """Whether a path leads to something in the tree."""
        return bool(self.real(path))

    def _outside(self, inside: str) -> str:
        return f"{self.top}{inside}"
