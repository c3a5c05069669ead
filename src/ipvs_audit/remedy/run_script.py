"""Runs the script that changes a host, or undoes a run there."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ipvs_audit.model.limits import ANSWER_TEXT_LIMIT, CHANGE_OUTPUT_LIMIT
from ipvs_audit.remedy import script, script_answers
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.script_answers import ScriptResult
    from ipvs_audit.transport import Connection


def apply_plan(
    connection: Connection,
    plan: Plan,
    run: str,
    *,
    who: str,
    host: str,
    timeout: float,
    halt: int = 0,
) -> ScriptResult:
    """Carry out a plan's steps on a host. Needs root there.

    Args:
        connection: to the host.
        plan: what to do.
        run: the run's id, which names the backup.
        who: makes the run.
        host: its name in the inventory.
        timeout: in seconds.
        halt: a point at which the script kills itself; for tests.

    Raises:
        TransportError: the connection was lost or the time was up: what was done is not known,
            and :func:`undo_run` or another collection of the host tells.
        ValueError: a step cannot be put into a script.
    """
    nonce = secrets.token_hex(16)
    text = script.render_apply(run, plan.steps, who=who, host=host, nonce=nonce, halt=halt)
    return _run(connection, text, nonce, timeout)


def undo_run(
    connection: Connection,
    run: str,
    *,
    who: str,
    by: str,
    host: str,
    timeout: float,
    halt: int = 0,
) -> ScriptResult:
    """Undo what a run did on a host, except what was changed since. Needs root there.

    Args:
        connection: to the host.
        run: its id.
        who: undoes it.
        by: made it, as the controller's journal names who.
        host: its name in the inventory, as the run knew it.
        timeout: in seconds.
        halt: a point at which the script kills itself; for tests.

    Raises:
        TransportError: the connection was lost; undoing again continues where it stopped.
    """
    nonce = secrets.token_hex(16)
    text = script.render_undo(run, who=who, by=by, host=host, nonce=nonce, halt=halt)
    return _run(connection, text, nonce, timeout)


def _run(connection: Connection, text: bytes, nonce: str, timeout: float) -> ScriptResult:
    output = connection.run_script(text, timeout=timeout, max_output=CHANGE_OUTPUT_LIMIT)
    result = script_answers.parse(output.stdout, nonce)
    if not result.complete and not result.steps and not result.notes:
        stderr = output.stderr.decode("utf-8", "replace").strip()[-ANSWER_TEXT_LIMIT:]
        raise TransportError("protocol", f"the script on the host was cut short: {stderr}")
    return result
