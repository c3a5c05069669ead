"""Plans that leave the tool: a playbook, or a script for each host, in a folder of their own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.model.private_files import make_directories, new_file
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted
from ipvs_audit.remedy.plan_script import render_plan_script
from ipvs_audit.remedy.playbook import render_playbook, why_not_in_playbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ipvs_audit.remedy.options import PlanFormat
    from ipvs_audit.remedy.plan_steps import Plan

_ODD = re.compile(r"[^A-Za-z0-9_.-]|^[.-]")


def export_plans(
    form: PlanFormat, plans: Mapping[str, Plan], boots: Mapping[str, str], folder: Path
) -> Iterator[str]:
    """Write the plans that are ready; only their owner may read them, as the files that they hold.

    Args:
        form: ``ansible`` or ``shell``.
        plans: of each host.
        boots: the boot id of each host.
        folder: made here; its name is the run's id.

    Yields:
        a line for the operator on what was written, and on each host that was left out.

    Raises:
        OSError: something cannot be written.
    """
    ready = [plan for plan in plans.values() if plan.ready]
    make_directories(folder)
    if form == "ansible":
        yield from _playbook(ready, folder)
    else:
        yield from _scripts(ready, boots, folder)


def _playbook(ready: list[Plan], folder: Path) -> Iterator[str]:
    left_out = {plan.target: why for plan in ready if (why := why_not_in_playbook(plan))}
    taken = [plan for plan in ready if plan.target not in left_out]
    yield from (
        _left_out(host, f"{why}; use --plan-format shell") for host, why in left_out.items()
    )
    if taken:
        playbook, contents = render_playbook(taken, run=folder.name)
        make_directories(folder / "files")
        for name, content in contents.items():
            _write(folder / "files" / name, content)
        _write(folder / "playbook.yml", playbook.encode())
        yield f"{folder / 'playbook.yml'} does it on {counted(len(taken), 'host')}"


def _scripts(ready: list[Plan], boots: Mapping[str, str], folder: Path) -> Iterator[str]:
    names: set[str] = set()
    for number, plan in enumerate(ready, 1):
        try:
            text = render_plan_script(plan, run=folder.name, boot_id=boots.get(plan.target, ""))
        except ValueError as odd:
            yield _left_out(plan.target, str(odd))
            continue
        name = _ODD.sub("_", plan.target)[:100] + ".sh"
        name = name if name not in names else f"{number}-{name}"
        names.add(name)
        _write(folder / name, text.encode())
    if names:
        yield f"{folder} holds {counted(len(names), 'script')}, one for each host"


def _left_out(host: str, why: str) -> str:
    return f"{one_line(host)} is left out: {one_line(why)}"


def _write(path: Path, content: bytes) -> None:
    with new_file(path) as file:
        file.write(content)
