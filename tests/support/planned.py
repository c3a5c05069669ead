"""Hosts to plan for: files made by hand or a scenario folder, with their contents beside them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from configured import LOADERS, all_equal, file
from made import census, netns, snapshot

from ipvs_audit.model.policy import Policy
from ipvs_audit.persistence.tree_on_disk.root import Root, UnreadableError
from ipvs_audit.remedy.editable_files import SECTION, read_editable_files
from ipvs_audit.remedy.plan import make_plan
from ipvs_audit.remedy.plan_steps import SetRunningValue, WriteFile
from ipvs_audit.remedy.simulation import with_contents
from ipvs_audit.snapshot.config_files import ConfigTree
from ipvs_audit.snapshot.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.snapshot import Snapshot

PLACES = ("/etc", "/etc/sysctl.d", "/etc/modprobe.d", "/var/lib")


def editable_file(
    path: str, content: bytes, *more: str, real: str = "", mode: str = "644"
) -> list[str]:
    """The lines that the probe prints of a file."""
    return [
        f"file {path}",
        f"real {real or path}",
        f"stat {mode} 0 0 {len(content)} 1",
        f"sha256 {hashlib.sha256(content).hexdigest()}",
        f"hex {content.hex()}",
        *more,
    ]


def directories(**states: str) -> list[str]:
    """The directories, writable but for those named by their last part."""
    return [f"directory {states.get(_key(path), 'writable')} 999999 {path}" for path in PLACES]


def _key(path: str) -> str:
    return path.rpartition("/")[2].replace(".", "_")


def section(lines: Iterable[str]) -> Section:
    return Section(SECTION, "od", "\n".join([*lines, "end"]) + "\n", None, 1.0)


def with_editable_files(evidence: Snapshot, lines: list[str]) -> Snapshot:
    found = replace(evidence, sections={SECTION: section(lines)})
    found.__dict__.update(
        {name: value for name, value in evidence.__dict__.items() if name != "sections"}
    )
    return found


def host(files: dict[str, str], *, more: list[str] | None = None, **parts: Any) -> Snapshot:
    """A host with these files, by path; ``->PATH`` is a link."""
    tree, lines = {}, []
    for path, text in files.items():
        real = text[2:] if text.startswith("->") else path
        content = files.get(real, "") if text.startswith("->") else text
        raw = content.encode()
        tree[path] = replace(file(path, content, real), sha256=hashlib.sha256(raw).hexdigest())
        if path.startswith("/etc/"):
            lines += editable_file(path, raw, real=real)
    defaults: dict[str, Any] = {
        "config": ConfigTree(tree, running=all_equal(tree)),
        "loaders": LOADERS,
        "census": census(netns(raw="1")),
    }
    return with_editable_files(
        snapshot(**defaults | parts), [*lines, *(more or []), *directories()]
    )


def scenario_host(evidence: Snapshot, folder: Path) -> Snapshot:
    """A scenario's host with the contents of its files."""
    root, lines = Root(folder), []
    for path, seen in evidence.config.files.items():
        if not path.startswith("/etc/") or "/modules-load" in path or "/udev" in path:
            continue
        try:
            content = root.read(seen.real)
        except UnreadableError:
            continue
        lines += editable_file(path, content, real=seen.real)
    return with_editable_files(evidence, [*lines, *directories()])


def then(evidence: Snapshot, made: Plan) -> Snapshot:
    """The host as it is to be after the plan."""
    config = with_contents(evidence.config, {step.path: step.after for step in file_steps(made)})
    after = with_editable_files(evidence, [])
    lines = [
        line
        for path, seen in config.files.items()
        if path.startswith("/etc/")
        for line in editable_file(path, _content(evidence, made, seen.real), real=seen.real)
    ]
    after = with_editable_files(evidence, [*lines, *directories()])
    after.__dict__["config"] = config
    host_value = next((step.after for step in value_steps(made) if step.own), None)
    if host_value is not None:
        seen_host = replace(evidence.census.host, raw=str(host_value))
        after.__dict__["census"] = replace(evidence.census, host=seen_host)
    return after


def _content(evidence: Snapshot, made: Plan, real: str) -> bytes:
    for step in file_steps(made):
        if step.path == real:
            return step.after
    editable = read_editable_files(evidence)
    known = editable.by_real_path(real) if editable else None
    return (known.content or b"") if known else b""


def planned(files: dict[str, str], policy: Policy | None = None, **parts: Any) -> Plan:
    return make_plan(host(files, **parts), policy or Policy())


def file_steps(made: Plan) -> list[WriteFile]:
    return [step for step in made.steps if isinstance(step, WriteFile)]


def value_steps(made: Plan) -> list[SetRunningValue]:
    return [step for step in made.steps if isinstance(step, SetRunningValue)]
