"""Puts the script together that times the estimator's own runs on a host."""

from __future__ import annotations

import re
import shlex
from functools import cache
from importlib.resources import files

from ipvs_audit.model.limits import ESTIMATOR_TRACE
from ipvs_audit.probe.script import strip_comments

_NONCE = re.compile(r"[0-9a-f]{32}")


@cache
def _template() -> str:
    folder = files(__package__)
    script, cleanup = (
        (folder / name).read_text("utf-8") for name in ("estimator_runs.sh", "tracefs_cleanup.sh")
    )
    watcher = shlex.quote(strip_comments(cleanup) + 'watch "$@"\n')
    return strip_comments(script.replace("# @CLEANUP@", cleanup)).replace("@WATCHER@", watcher)


def render(nonce: str, *, seconds: int = ESTIMATOR_TRACE) -> bytes:
    """The script as it goes to a host, to be fed to ``sh`` as root.

    Raises:
        ValueError: for a nonce that is not 32 hex digits, or a time that is not 1 to 60 seconds.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError(f"the nonce {nonce!r} is not 32 hex digits")
    if not 1 <= seconds <= 60:  # noqa: PLR2004
        raise ValueError(f"{seconds} s is not 1 to 60 s")
    return _template().replace("@NONCE@", nonce).replace("@SECONDS@", str(seconds)).encode()
