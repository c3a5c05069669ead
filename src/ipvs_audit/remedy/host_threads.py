"""Work on several hosts at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def for_each_host(
    work: Callable[[str], None], hosts: Sequence[str], *, forks: int, stop: Callable[[], None]
) -> None:
    """Call ``work`` for each host, on at most ``forks`` of them at a time.

    Interrupted (Ctrl-C), it calls ``stop`` and waits for the hosts under way, within their
    deadlines; a second time, it does not wait.
    """
    pool = ThreadPoolExecutor(max_workers=max(1, min(forks, len(hosts))))
    try:
        try:
            list(pool.map(work, hosts))
        except KeyboardInterrupt:
            stop()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    except KeyboardInterrupt:
        stop()
