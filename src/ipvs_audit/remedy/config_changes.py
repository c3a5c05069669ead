"""What to write so that the value persists: drafts, tried in order until one passes.

The fix for EST-2 and EST-3. Writing needs root (CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER).

A draft edits the file that is to hold the value in place, comments out what contradicts it
elsewhere under /etc, and leaves everything else alone. Files outside /etc are never edited; where
they contradict, a drop-in that is read after them overrides them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.side_effects import name_effects
from ipvs_audit.persistence.vendor_recipe import DROP_INS
from ipvs_audit.remedy import file_edits
from ipvs_audit.remedy.load_hook import hook_drafts
from ipvs_audit.remedy.simulation import why_not_compliant, with_contents
from ipvs_audit.snapshot.config_paths import SYSCTL_CONF
from ipvs_audit.snapshot.sysctl_config import settings
from ipvs_audit.snapshot.sysctl_key import is_glob, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.side_effects import SideEffect
    from ipvs_audit.remedy.editable_files import EditableFiles
    from ipvs_audit.snapshot.config_files import ConfigFile, Line
    from ipvs_audit.snapshot.sysctl_loader import Loader

Remedy = Literal["recipe", "drop-in"]

_VALUE = "the value that the policy requires"
_OVERRIDES = "overrides what a file outside /etc sets"
_HOOK = "each load of ip_vs starts with 1, so a hook has to apply the setting"


@dataclass(frozen=True, slots=True)
class Draft:
    """Contents that files are to have, and why.

    Attributes:
        contents: by real path.
        reasons: by real path, with the control that each serves.
    """

    contents: Mapping[str, bytes] = field(default_factory=dict)
    reasons: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def with_file(self, path: str, content: bytes, control: str, reason: str) -> Draft:
        """The draft with another content; an earlier reason for the same file stays first."""
        first = self.reasons.get(path)
        why = (control, reason) if first is None else (first[0], f"{first[1]}; {reason}")
        return Draft({**self.contents, path: content}, {**self.reasons, path: why})


@dataclass(frozen=True, slots=True)
class DraftResult:
    """The draft that passes, or why none does.

    Attributes:
        draft: what to write.
        side_effects: what a load of ip_vs would set besides, and does not now.
        choice: where the policy leaves it open, which remedy this is and why; else empty.
        why_none: why no draft passes; empty where one does.
    """

    draft: Draft = field(default_factory=Draft)
    side_effects: tuple[SideEffect, ...] = ()
    choice: str = ""
    why_none: str = ""


def find_passing_draft(config: HostConfig, editable: EditableFiles, policy: Policy) -> DraftResult:
    """The first draft after which EST-2 and EST-3 pass for every loader of the host.

    Where the policy says ``auto``, and of drop-ins: the first that lets a load of ip_vs change
    nothing else than it does now.
    """
    if policy.remedy != "auto":
        return _first(config, editable, policy, policy.remedy)
    recipe = _first(config, editable, policy, "recipe")
    if not recipe.why_none and not recipe.side_effects:
        why = (
            "its hook changes no other key" if writes_hook(recipe.draft) else "it needs no new hook"
        )
        return replace(recipe, choice=f"remedy: auto chose recipe: {why}")
    why = recipe.why_none
    if recipe.side_effects:
        named = name_effects(recipe.side_effects)
        why = f"with recipe each load of ip_vs would also apply {named}"
    found = _first(config, editable, policy, "drop-in")
    if found.why_none:
        return replace(found, why_none=recipe.why_none or f"{found.why_none}; {why}")
    return replace(found, choice=f"remedy: auto chose drop-in: {why}")


def _first(
    config: HostConfig, editable: EditableFiles, policy: Policy, remedy: Remedy
) -> DraftResult:
    now = after_reload(config, policy.accepts).effects
    why = ""
    for draft in _drafts(config, editable, policy, remedy):
        then = replace(config, tree=with_contents(config.tree, draft.contents))
        if wrong := why_not_compliant(then, policy):
            why = why or wrong
            continue
        effects = after_reload(then, policy.accepts).effects
        added = tuple(effect for effect in effects if effect not in now)
        if not added or remedy == "recipe":
            return DraftResult(draft, added)
        why = f"a load of ip_vs would also apply {name_effects(added)}"
    return DraftResult(why_none=why)


def writes_hook(draft: Draft) -> bool:
    """Whether a draft changes what runs when ip_vs is loaded."""
    return any("/modprobe.d/" in path for path in draft.contents)


def _drafts(
    config: HostConfig, editable: EditableFiles, policy: Policy, remedy: Remedy
) -> Iterator[Draft]:
    for target, extra in _targets(config, editable, remedy):
        values = _target_draft(config, editable, policy, target)
        if extra:
            values = _added(values, editable, policy, extra, _OVERRIDES)
        then = replace(config, tree=with_contents(config.tree, values.contents))
        for hook in hook_drafts(then, editable, policy, reads=target):
            draft = values
            for path, content in hook.items():
                draft = draft.with_file(path, content, "EST-3", _HOOK)
            yield draft


def _targets(
    config: HostConfig, editable: EditableFiles, remedy: Remedy
) -> Iterator[tuple[str, str]]:
    """The file that holds the value, and a drop-in besides where vendor files need one."""
    if remedy == "recipe":
        yield SYSCTL_CONF, ""
        for drop_in in DROP_INS:
            yield SYSCTL_CONF, drop_in
        return
    there = [
        path
        for path, file in editable.files.items()
        if path.startswith("/etc/sysctl.d/")
        and file.real == path
        and path in config.tree.files
        and list(_exact(config, config.tree.files[path]))
    ]
    for path in (*reversed(there), *(name for name in DROP_INS if name not in there)):
        yield path, ""


def _target_draft(
    config: HostConfig, editable: EditableFiles, policy: Policy, target: str
) -> Draft:
    """The value in the target, and nothing under /etc against it."""
    draft = Draft()
    known = editable.files.get(target)
    real = known.real if known else target
    for file in {each.real: each for each in editable.files.values()}.values():
        seen = config.tree.files.get(file.path)
        if file.content is None or seen is None or not file.real.startswith("/etc/"):
            continue
        found = list(_exact(config, seen))
        against = {number for number, stores in found if not _right(stores, policy)}
        content = file.content
        if not against:
            continue
        if file.real == real and found[-1][0] in against:
            content = file_edits.set_value(content, found[-1][0], policy.wanted)
            against.discard(found[-1][0])
            draft = draft.with_file(file.real, content, "EST-2", _VALUE)
        if against:
            content = file_edits.comment_out(content, against)
            draft = draft.with_file(file.real, content, "EST-2", f"it contradicts {target}")
    then = with_contents(config.tree, draft.contents).files.get(target)
    if then is not None and any(_right(stores, policy) for _, stores in _exact(config, then)):
        return draft
    return _added(draft, editable, policy, target, _VALUE)


def _added(draft: Draft, editable: EditableFiles, policy: Policy, path: str, reason: str) -> Draft:
    known = editable.files.get(path)
    real = known.real if known else path
    if real in draft.contents:
        before = draft.contents[real]
    else:
        before = known.content or b"" if known else b""
    line = f"net.ipv4.vs.run_estimation = {policy.wanted}"
    return draft.with_file(real, file_edits.append(before, line), "EST-2", reason)


def _right(stores: int | str | None, policy: Policy) -> bool:
    return isinstance(stores, int) and policy.accepts(stores)


def _exact(config: HostConfig, file: ConfigFile) -> Iterator[tuple[int, int | str | None]]:
    """The lines that name the key by itself: number, and what the kernel would store."""
    loaders = (config.sysctl_p, config.systemd_sysctl)
    for line in file.lines or ():
        stored = [found for loader in loaders for found in _stored(config, file, line, loader)]
        if stored:
            contrary = [value for value in stored if value != stored[0]]
            yield line.number, None if contrary else stored[0]


def _stored(
    config: HostConfig, file: ConfigFile, line: Line, loader: Loader
) -> Iterator[int | str | None]:
    for setting in settings(file, line, loader):
        if setting.value is None or is_glob(setting.path):
            continue
        if resolved(setting.path) == config.key.path:
            yield config.key.stores(setting.value)
