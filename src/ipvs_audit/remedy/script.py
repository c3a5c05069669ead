"""Puts together the script that changes a host, from ``change.sh``, its parts and a plan.

>>> script = render_undo("2026-11-23T02-00-00Z", who="ops", by="ops", host="x", nonce="0" * 32)
>>> script.splitlines()[-1]
b'main </dev/null'
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ipvs_audit.model.limits import (
    INITIATOR_LIMIT,
    LOCK_SECONDS,
    NAMESPACE_NAME_LIMIT,
    UNDO_LOCK_SECONDS,
)
from ipvs_audit.probe.script import (
    mount_namespaces_part,
    root_only_function,
    strip_comments,
)
from ipvs_audit.remedy.plan_steps import SetRunningValue, WriteFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.remedy.plan_steps import Step

#: Where a host keeps backups, its journal and the lock.
STATE = "/var/lib/ipvs-audit"

_NONCE = re.compile(r"[0-9a-f]{32}")
#: What names a run, and its directories here and on hosts.
RUN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,60}")
_PATH = re.compile(r"/etc/[!-~][ -~]*")
_PLAIN = frozenset(
    b'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 =._/#&-:,;+@!"<>|$'
)


def render_apply(
    run: str,
    steps: Iterable[Step],
    *,
    who: str,
    host: str,
    nonce: str,
    halt: int = 0,
    state: str = STATE,
) -> bytes:
    """The script that does a plan's steps.

    Args:
        run: the run's id, which names the backup.
        steps: what to do, in order.
        who: operator, controller and process, for the host's journal.
        host: its name in the inventory. What is undone is only what was done under it.
        nonce: 32 hex digits, for one host and one time.
        halt: a point at which the script kills itself; for tests.
        state: another place for backups, journal and lock; for tests.

    Raises:
        ValueError: a step cannot be put into a script, e.g. for an odd path; says which.
    """
    lines = [_line(number, step) for number, step in enumerate(steps, 1)]
    return _render(
        run,
        {"@ACTION@": "apply", "@PATIENCE@": str(LOCK_SECONDS)},
        who=who,
        host=host,
        nonce=nonce,
        halt=halt,
        state=state,
        steps="\n".join(lines),
    )


def render_undo(
    run: str, *, who: str, by: str, host: str, nonce: str, halt: int = 0, state: str = STATE
) -> bytes:
    """The script that undoes what a run did, from what the host has kept of it.

    ``by`` is who made the run: two controllers may have begun one in the same second.
    """
    return _render(
        run,
        {"@ACTION@": "undo", "@PATIENCE@": str(UNDO_LOCK_SECONDS), "@BY@": _initiator(by)},
        who=who,
        host=host,
        nonce=nonce,
        halt=halt,
        state=state,
    )


@cache
def _template(action: str) -> str:
    folder = files(__package__)
    text = (folder / "change.sh").read_text("utf-8")
    part = (folder / f"{action}.sh").read_text("utf-8")
    parts = root_only_function() + mount_namespaces_part() + part
    return strip_comments(text.replace("# @PARTS@", parts))


def _render(
    run: str,
    words: dict[str, str],
    *,
    who: str,
    host: str,
    nonce: str,
    halt: int,
    state: str,
    steps: str = "",
) -> bytes:
    if not _NONCE.fullmatch(nonce):
        raise ValueError(f"the nonce {nonce!r} is not 32 hex digits")
    if not RUN_ID.fullmatch(run):
        raise ValueError(f"the run {run!r} is not a run's id")
    script = _template(words["@ACTION@"])
    words = words | {
        "@NONCE@": nonce,
        "@RUN@": run,
        "@WHO@": _initiator(who),
        "@HOST@": _initiator(host),
        "@HALT@": str(halt),
        "@STATE@": state,
    }
    for word, value in words.items():
        script = script.replace(word, value)
    return script.replace("# @STEPS@", "\n" + steps).encode("ascii")


def _initiator(who: str) -> str:
    return re.sub(r"[^A-Za-z0-9@._ -]", "?", who)[:INITIATOR_LIMIT]


def check_path(path: str) -> None:
    """Refuse a path that a remediation does not change.

    Raises:
        ValueError: it is not below /etc, or not of printable ASCII.
    """
    if not _PATH.fullmatch(path) or "/../" in path:
        raise ValueError(f"{path!r} is not a path that a remediation changes")


def file_words(step: WriteFile) -> str:
    """A new content of a file as words of a script: sha256 before and after, path, content.

    Raises:
        ValueError: it is a path that a remediation does not change.
    """
    check_path(step.path)
    path, content = shlex.quote(step.path), percent_b(step.after)
    return f"{step.before_sha256} {step.after_sha256} {path} '{content}'"


def _line(number: int, step: Step) -> str:
    if isinstance(step, WriteFile):
        return f"file {number} {file_words(step)}"
    return _running_value_line(number, step)


def _running_value_line(number: int, step: SetRunningValue) -> str:
    name = re.sub(r"[^A-Za-z0-9@._:/ (),-]", "?", step.name)[:NAMESPACE_NAME_LIMIT]
    return (
        f"value {number} {step.inode} {step.before} {step.after}"
        f" {'own' if step.own else 'other'} {shlex.quote(name)}"
    )


def percent_b(content: bytes) -> str:
    r"""Bytes as ``printf %b`` in any POSIX shell gives them back, within single quotes.

    >>> percent_b(b"a = 1\n'\\")
    'a = 1\\0012\\0047\\0134'
    """
    return "".join(chr(byte) if byte in _PLAIN else f"\\0{byte:03o}" for byte in content)
