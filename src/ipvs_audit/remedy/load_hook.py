"""The load hook in /etc/modprobe.d: kept where it works, written where none does.

The fix for EST-3. Writing needs root (CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.interpreter import run_shell
from ipvs_audit.persistence.hook.state import Command, State
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.reload import find_hook
from ipvs_audit.persistence.vendor_recipe import (
    HOOKS,
    apply_command,
    find_extended_hook,
    hook_line,
)
from ipvs_audit.remedy import file_edits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.remedy.editable_files import EditableFiles


def hook_drafts(
    config: HostConfig, editable: EditableFiles, policy: Policy, *, reads: str
) -> Iterator[Mapping[str, bytes]]:
    """What to write to modprobe.d, by real path; the first that passes is taken.

    First of all nothing: a hook, a udev rule or a built-in ip_vs that works is left alone. Then
    the hook that is there, with one command more: what it does beside is not lost. A hook that
    this audit cannot evaluate, or that does more than ours would, is never replaced.
    """
    yield {}
    if find_unjudged_hook(config):
        return
    if policy.estimation == "disabled":
        yield from _append_to_hook(config, editable, apply_command(config, reads))
    if find_extended_hook(config):
        return
    without = comment_out_hooks(config, editable)
    if policy.estimation == "enabled":
        yield without
        return
    for path in HOOKS:
        known = editable.files.get(path)
        real = known.real if known else path
        if known is not None and (known.content is None or not real.startswith("/etc/")):
            continue
        before = without.get(real, (known.content or b"") if known else b"")
        # kmod takes a carriage return for a part of the command.
        yield {**without, real: file_edits.append(before, hook_line(config, reads), end=b"\n")}


def _append_to_hook(
    config: HostConfig, editable: EditableFiles, command: str
) -> Iterator[Mapping[str, bytes]]:
    """The hook that is there, with a command after it; nothing where that would be lost."""
    hook, _ = find_hook(config)
    if hook is None or not (find_extended_hook(config) or "sysctl" in hook.rest):
        return
    file = editable.files.get(hook.file)
    if file is None or file.content is None or not file.real.startswith("/etc/"):
        return
    open_ended = hook.rest.rstrip().endswith((";", "&", "|", "\\"))
    if open_ended or "#" in hook.rest or "\r" in hook.rest or "run_estimation" in hook.rest:
        return
    last = max(file_edits.continued(file.content, hook.line))
    for joint in (" && ", "; "):
        yield {file.real: file_edits.add_to(file.content, last, joint + command)}


def find_unjudged_hook(config: HostConfig) -> str:
    """The hook that runs what this audit cannot evaluate; empty for none."""
    hook, _ = find_hook(config)
    if hook is None:
        return ""
    ends = run_shell(config, Command(hook.rest, hook.where), State())
    return hook.where if any(end.unknown for end in ends) else ""


def comment_out_hooks(config: HostConfig, editable: EditableFiles) -> dict[str, bytes]:
    """The files under /etc with every ``install ip_vs`` commented out, by real path."""
    found: dict[str, set[int]] = {}
    for directive in config.modprobe.directives:
        file = editable.files.get(directive.file)
        if directive.verb != "install" or directive.module != MODULE or file is None:
            continue
        if file.content is not None and file.real.startswith("/etc/"):
            numbers = file_edits.continued(file.content, directive.line)
            found.setdefault(file.path, set()).update(numbers)
    return {
        editable.files[path].real: file_edits.comment_out(
            editable.files[path].content or b"", numbers
        )
        for path, numbers in found.items()
    }
