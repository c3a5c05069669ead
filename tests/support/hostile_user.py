"""An ordinary user of the host with user, mount and network namespaces of his own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Not root, and nobody else either.
_AS_USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
#: A namespace that only a mount keeps, at /mnt/d/x, and its number.
MOUNTED = (
    "mount -t tmpfs none /mnt && mkdir /mnt/d && touch /mnt/d/x && unshare -n sh -c"
    " 'mount --bind /proc/self/ns/net /mnt/d/x && stat -Lc %i /proc/self/ns/net'"
)


def can_make_namespaces() -> bool:
    """Whether an ordinary user may, here."""
    with contextlib.suppress(OSError):
        argv = (*_AS_USER, "unshare", "-Urmn", "true")
        return os.geteuid() == 0 and subprocess.run(argv, check=False).returncode == 0
    return False


@contextlib.contextmanager
def hostile(setup: str, *, root: bool = False) -> Iterator[tuple[int, int]]:
    """Let one prepare something, and stay: the pid, and the number of the namespace at /mnt/d/x.

    ``root``: his user namespace is root's, for what only root may open.
    """
    text = f"{MOUNTED} && {{ {setup}\n}} && echo && exec sleep 300"
    argv = (*(() if root else _AS_USER), "unshare", "-Urm", "sh", "-c", text)
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        inode, end = process.stdout.readline(), process.stdout.readline()
        try:
            assert end == "\n", f"the set-up ended with {process.wait()}"
            yield process.pid, int(inode)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
