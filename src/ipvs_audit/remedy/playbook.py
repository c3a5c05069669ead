"""Plans as an Ansible playbook: one play for each group of hosts with equal plans.

Contents of files lie beside the playbook, named by their sha256: Ansible copies them byte for byte
and evaluates nothing in them. Names that came from a host or an inventory are tagged ``!unsafe``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from ipvs_audit.model.sanitise import one_line
from ipvs_audit.remedy.plan_script import describe_plan
from ipvs_audit.remedy.plan_steps import KEY_FILE, SetRunningValue, WriteFile
from ipvs_audit.remedy.script import check_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ipvs_audit.remedy.plan_steps import Plan, Step

#: Names that Ansible takes for themselves; others it would read as patterns.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./@+-]+")
_BOTH = {"become": True, "gather_facts": False}


class _Unsafe(str):
    """Text that Ansible must not evaluate."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


_Dumper.add_representer(
    _Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"')
)


def why_not_in_playbook(plan: Plan) -> str:
    """Why a plan cannot be put into a playbook; empty where it can."""
    if not _PLAIN_NAME.fullmatch(plan.target) or plan.target in ("all", "ungrouped"):
        return "Ansible would read its name as a pattern"
    if any(isinstance(step, SetRunningValue) and not step.own for step in plan.steps):
        return "it sets values in other namespaces, which Ansible has no module for"
    try:
        for step in plan.steps:
            if isinstance(step, WriteFile):
                check_path(step.path)
    except ValueError as odd:
        return str(odd)
    return ""


def render_playbook(plans: Sequence[Plan], *, run: str) -> tuple[str, Mapping[str, bytes]]:
    """The playbook, and the contents that it copies by the name of their file.

    Args:
        plans: those that are ready and for which :func:`why_not_in_playbook` is empty.
        run: the run's id.
    """
    alike: dict[tuple[Step, ...], list[Plan]] = {}
    for plan in plans:
        key = tuple(
            step if isinstance(step, WriteFile) else replace(step, inode=0) for step in plan.steps
        )
        alike.setdefault(key, []).append(plan)
    parts = ["---\n# Compare first: ansible-playbook --check --diff -i INVENTORY playbook.yml\n"]
    contents: dict[str, bytes] = {}
    for steps, group in alike.items():
        contents |= {step.after_sha256: step.after for step in steps if isinstance(step, WriteFile)}
        parts += [f"{line}\n" for line in describe_plan(group[0], run)]
        play = {
            "name": f"What ipvs-audit planned for {len(group)} of its hosts in run {one_line(run)}",
            "hosts": [plan.target for plan in group],
            **_BOTH,
            "tasks": list(_tasks(steps, [plan.target for plan in group])),
        }
        parts.append(yaml.dump([play], Dumper=_Dumper, sort_keys=False, width=1000))
    return "\n".join(parts), contents


def _tasks(steps: Sequence[Step], hosts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """All comparisons first, then the changes."""
    yield {
        "name": "Refuse a host that this plan is not for",
        "ansible.builtin.assert": {
            "that": "inventory_hostname in planned_for",
            "fail_msg": "a group has the name of a host: this plan is not for this host",
        },
        "vars": {"planned_for": [_Unsafe(host) for host in hosts]},
    }
    writes = [step for step in steps if isinstance(step, WriteFile)]
    if writes:
        yield from _directories(writes)
    for number, step in enumerate(writes, 1):
        yield from _compare_file(number, step)
    values = [step for step in steps if isinstance(step, SetRunningValue)]
    for value in values:
        yield from _compare_value(value)
    for number, step in enumerate(writes, 1):
        new = {"owner": "root", "group": "root", "mode": "0644"} if step.before is None else {}
        yield {
            "name": f"Write {_shown(number, step)}",
            "ansible.builtin.copy": {
                "src": f"files/{step.after_sha256}",
                "dest": _Unsafe(step.path),
                **new,
            },
        }
    for value in values:
        yield {
            "name": f"Set the running value to {value.after}",
            "ansible.builtin.shell": {
                "cmd": f"echo {value.after} >{KEY_FILE}",
                "removes": KEY_FILE,
            },
            "when": f"(ipvs_audit_value.content | b64decode | trim) != '{value.after}'",
        }


def _shown(number: int, step: WriteFile) -> str:
    return step.path if _PLAIN_PATH.fullmatch(step.path) else f"file {number}"


def _directories(writes: Sequence[WriteFile]) -> Iterator[dict[str, Any]]:
    above = {str(one) for step in writes for one in PurePosixPath(step.path).parents}
    yield {
        "name": "Look at the directories",
        "ansible.builtin.stat": {"path": "{{ item }}", "follow": True},
        "loop": [_Unsafe(path) for path in sorted(above)],
        "register": "ipvs_audit_directories",
    }
    yield {
        "name": "Refuse directories that users other than root may write to",
        "ansible.builtin.assert": {
            "that": "item.stat.exists and item.stat.uid == 0 and not item.stat.woth"
            " and (item.stat.gid == 0 or not item.stat.wgrp)",
            "quiet": True,
        },
        "loop": "{{ ipvs_audit_directories.results }}",
        "loop_control": {"label": "{{ item.item }}"},
    }


def _compare_file(number: int, step: WriteFile) -> Iterator[dict[str, Any]]:
    name = f"ipvs_audit_file_{number}"
    known = [step.after_sha256] if step.before is None else [step.before_sha256, step.after_sha256]
    same = f"({name}.stat.isreg and {name}.stat.nlink == 1 and {name}.stat.checksum in {known})"
    there = f"{name}.stat.exists"
    yield {
        "name": f"Look at {_shown(number, step)}",
        "ansible.builtin.stat": {"path": _Unsafe(step.path), "checksum_algorithm": "sha256"},
        "register": name,
    }
    yield {
        "name": f"Refuse another {_shown(number, step)} than that of the plan",
        "ansible.builtin.assert": {
            "that": f"not {there} or {same}" if step.before is None else f"{there} and {same}",
            "fail_msg": "the file has changed since the plan was made; plan again",
            "quiet": True,
        },
    }


def _compare_value(step: SetRunningValue) -> Iterator[dict[str, Any]]:
    yield {
        "name": "Read the running value",
        "ansible.builtin.slurp": {"src": KEY_FILE},
        "register": "ipvs_audit_value",
    }
    known = [str(step.before), str(step.after)]
    yield {
        "name": "Refuse another running value than that of the plan",
        "ansible.builtin.assert": {
            "that": f"(ipvs_audit_value.content | b64decode | trim) in {known}",
            "fail_msg": "the running value has changed since the plan was made; plan again",
            "quiet": True,
        },
    }
