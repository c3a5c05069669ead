"""A plan as a shell script for one host, to be read and run by whoever changes hosts there."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from ipvs_audit.model.sanitise import one_line, visible
from ipvs_audit.probe.script import root_only_function
from ipvs_audit.remedy.plan_steps import KEY_FILE, WriteFile
from ipvs_audit.remedy.script import STATE, file_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.remedy.plan_steps import Plan, Step

_BOOT_ID = re.compile(r"[0-9a-f-]{36}")


def render_plan_script(plan: Plan, *, run: str, boot_id: str) -> str:
    """The script: POSIX sh, ASCII.

    Args:
        plan: one that is ready.
        run: the run's id, which names the folder of the copies.
        boot_id: of the boot that the numbers of namespaces belong to.

    Raises:
        ValueError: a step cannot be put into a script; says which.
    """
    text = (files(__package__) / "plan_script.sh").read_text("utf-8")
    words = {
        "@ABOUT@": _ascii("\n".join(describe_plan(plan, run))),
        "@KEPT@": f"{STATE}/plan-{run}",
        "@KEY@": KEY_FILE,
        "# @PARTS@": root_only_function().strip(),
        ": # @STEPS@": "\n  ".join(_call(step, boot_id) for step in plan.steps),
    }
    # All at once: no content can pose as a word.
    pattern = re.compile("|".join(map(re.escape, words)))
    return pattern.sub(lambda found: words[found[0]], text)


def describe_plan(plan: Plan, run: str) -> Iterator[str]:
    """What is done and why, as lines of comments; nothing in them can end the comment."""
    yield f"# What ipvs-audit planned for {one_line(plan.target)} in run {run}."
    for note in plan.notes:
        yield f"# note: {one_line(note)}"
    for number, step in enumerate(plan.steps, 1):
        yield f"# {number}. {one_line(step.title)} ({step.control}): {one_line(step.reason)}"
        yield from (f"#    {line}" for line in visible(step.detail).split("\n") if line)


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii").replace("\r", "\\r")


def _call(step: Step, boot_id: str) -> str:
    if isinstance(step, WriteFile):
        return f"file {file_words(step)}"
    if step.own:
        return f"value {step.before} {step.after}"
    if not _BOOT_ID.fullmatch(boot_id):
        raise ValueError("the evidence does not say to which boot its namespaces belong")
    return f"namespace {boot_id} {step.inode} {step.before} {step.after}"
