"""What an operator would change in a host's files, line by line, so that EST-2 or EST-3 passes.

Found by trying: a suggestion is made only where the same model that judged the host passes it
after the change. So it names this host's lines, and says nothing where no simple edit is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.persisted_value import active_loaders
from ipvs_audit.persistence.policy_verdicts import judge_persisted, judge_reload
from ipvs_audit.persistence.reload import after_reload, find_hook
from ipvs_audit.persistence.vendor_recipe import (
    DROP_INS,
    HOOKS,
    apply_command,
    find_breaking_hook,
    find_extended_hook,
    hook_line,
)
from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree, Line
from ipvs_audit.snapshot.config_paths import SYSCTL_CONF
from ipvs_audit.snapshot.sysctl_key import is_glob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipvs_audit.persistence.host_config import HostConfig


#: Files of packages, which an update overwrites, and of this boot only.
_NOT_THE_OPERATORS = ("/usr/lib/", "/lib/", "/run/", "/var/run/", "/dev/")


@dataclass(frozen=True, slots=True)
class _Edit:
    """One line to change in one file.

    Attributes:
        file: its real path.
        line: number of the line; 0 for one more at the end.
        before: what it holds; empty for a new one.
        after: what it shall hold; empty for a line to remove.
    """

    file: str
    line: int
    before: str
    after: str


def suggest_persisted(config: HostConfig, policy: Policy) -> str:
    """The edits after which EST-2 passes, in sentences; empty where none was found."""
    return _suggest_persisted(config, policy.estimation, policy.remedy)


def suggest_reload(config: HostConfig, policy: Policy) -> str:
    """The edits after which EST-2 and EST-3 pass, in sentences; empty where none was found."""
    return _suggest_reload(config, policy.estimation, policy.remedy)


@lru_cache(maxsize=1024)
def _suggest_persisted(config: HostConfig, estimation: str, remedy: str) -> str:
    policy = Policy.model_validate({"estimation": estimation, "remedy": remedy})
    for edits in _value_edits(config, policy):
        if edits and judge_persisted(_edited(config, edits), policy)[0] is Verdict.PASS:
            return _sentences(config.tree, edits)
    return ""


@lru_cache(maxsize=1024)
def _suggest_reload(config: HostConfig, estimation: str, remedy: str) -> str:
    policy = Policy.model_validate({"estimation": estimation, "remedy": remedy})
    if config.has_switch is False and estimation == "disabled":
        boot = f"Boot a kernel that has {config.key.dotted} (EST-1)"
        if breaking := find_breaking_hook(config):
            boot += f"\nUntil then remove {breaking}: it makes 'modprobe ip_vs' fail on this kernel"
        return boot
    now = after_reload(config, policy.accepts).effects
    for values in _value_edits(config, policy):
        then = _edited(config, values)
        if judge_persisted(then, policy)[0] is not Verdict.PASS:
            continue
        for hook in _hook_edits(then, policy):
            done = _edited(then, hook)
            if judge_reload(done, policy)[0] is not Verdict.PASS:
                continue
            effects = after_reload(done, policy.accepts).effects
            if policy.remedy == "recipe" or all(one in now for one in effects):
                return _sentences(config.tree, (*values, *hook))
    return ""


def _value_edits(config: HostConfig, policy: Policy) -> Iterator[tuple[_Edit, ...]]:
    """Edits of sysctl files, the smallest first; the empty one first of all."""
    yield ()
    wrong = _lines(config, lambda stores: not policy.accepts(stores))
    without = tuple(replace(edit, after="") for edit in wrong)
    line = f"{config.key.dotted} = {policy.wanted}"
    if _lines(config, policy.accepts):
        yield without
    for at, edit in enumerate(wrong):
        if policy.remedy != "drop-in" or edit.file != SYSCTL_CONF:
            yield (replace(edit, after=line), *without[:at], *without[at + 1 :])
    drop_ins = _new(config, DROP_INS, line)
    if policy.remedy != "drop-in" and (conf := _new(config, (SYSCTL_CONF,), line)):
        yield (*without, *conf)
        yield from ((*without, *conf, drop_in) for drop_in in drop_ins)
    if policy.remedy != "recipe":
        yield from ((*without, drop_in) for drop_in in drop_ins)


def _new(config: HostConfig, paths: tuple[str, ...], text: str) -> list[_Edit]:
    """One more line in each of these files; a link to somewhere else is left alone."""
    files = config.tree.files
    return [
        _Edit(path, 0, "", text) for path in paths if path not in files or files[path].real == path
    ]


def _lines(config: HostConfig, wanted: Callable[[int], bool]) -> tuple[_Edit, ...]:
    """The lines of the operator's files that name the key itself and store a wanted value."""
    found = {}
    for loader in active_loaders(config):
        for entry in config.resolve(loader).assignments:
            file = config.tree.files.get(entry.setting.file)
            if file is None or is_glob(entry.setting.path) or _is_vendors(file.real):
                continue
            if isinstance(entry.stores, int) and wanted(entry.stores):
                place = file.real, entry.setting.line
                found[place] = _Edit(*place, entry.setting.text, "")
    return tuple(found[place] for place in sorted(found))


def _is_vendors(real: str) -> bool:
    return not real or real.startswith(_NOT_THE_OPERATORS)


def _hook_edits(config: HostConfig, policy: Policy) -> Iterator[tuple[_Edit, ...]]:
    """Edits of modprobe's files; the empty one first. What else a hook does is never lost."""
    yield ()
    right = _lines(config, policy.accepts)
    reads = next((one.file for one in right if one.file == SYSCTL_CONF), "")
    reads = reads or (right[-1].file if right else SYSCTL_CONF)
    hook, _ = find_hook(config)
    hooks = tuple(
        _Edit(config.tree.files[one.file].real, one.line, f"install {one.module} {one.rest}", "")
        for one in config.modprobe.all("install", MODULE)
        if one.file in config.tree.files and one.module == MODULE
    )
    if any(_is_vendors(edit.file) for edit in hooks):
        return
    if policy.estimation == "disabled" and hook is not None and "run_estimation" not in hook.rest:
        longer = f"{hooks[0].before.rstrip()} && {apply_command(config, reads)}" if hooks else ""
        if longer and not hook.rest.rstrip().endswith((";", "&", "|", "\\")):
            yield (replace(hooks[0], after=longer),)
    if find_extended_hook(config):
        return
    if policy.estimation == "enabled":
        yield hooks
    elif hooks:
        yield (replace(hooks[0], after=hook_line(config, reads)), *hooks[1:])
    else:
        yield from ((edit,) for edit in _new(config, HOOKS, hook_line(config, reads)))


def _edited(config: HostConfig, edits: tuple[_Edit, ...]) -> HostConfig:
    if not edits:
        return config
    files = dict(config.tree.files)
    for edit in edits:
        paths = [path for path, file in files.items() if file.real == edit.file]
        for path in paths:
            files[path] = replace(files[path], lines=_with(files[path].lines or (), edit))
        if not paths:
            lines = _with((), edit)
            files[edit.file] = ConfigFile(edit.file, edit.file, 0, 0, 0o644, 0, "", lines)
    return replace(config, tree=replace(config.tree, files=files))


def _with(lines: tuple[Line, ...], edit: _Edit) -> tuple[Line, ...]:
    if not edit.line:
        return (*lines, Line(max((one.number for one in lines), default=0) + 1, edit.after))
    changed = (
        replace(one, text=edit.after) if one.number == edit.line else one
        for one in lines
        if one.number != edit.line or edit.after
    )
    return tuple(changed)


def _sentences(tree: ConfigTree, edits: tuple[_Edit, ...]) -> str:
    """A line for each edit: ``Remove /etc/sysctl.d/90-k8s.conf:4``, ``Add to FILE: LINE``."""
    known = {file.real for file in tree.files.values()}
    said = []
    for edit in edits:
        place = f"{edit.file}:{edit.line}"
        if not edit.after:
            said.append(f"Remove {place}: {edit.before.strip()}")
        elif edit.line:
            said.append(f"Change {place} to: {edit.after}")
        else:
            where = f"to {edit.file}" if edit.file in known else f"to a new file {edit.file}"
            said.append(f"Add {where}: {edit.after}")
    return "\n".join(said)
