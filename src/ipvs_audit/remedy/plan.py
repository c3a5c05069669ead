"""From a snapshot to a plan: pure, so that it can be read before anything is touched.

>>> make_plan(snapshot, Policy()).status                              # doctest: +SKIP
<RemediationStatus.PLANNED: 'planned'>
>>> print(make_plan(snapshot, Policy()).steps[0].detail)              # doctest: +SKIP
--- a/etc/sysctl.conf
+++ b/etc/sysctl.conf
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.host_config import host_config_of
from ipvs_audit.persistence.side_effects import name_effects
from ipvs_audit.persistence.vendor_recipe import find_breaking_hook, find_extended_hook
from ipvs_audit.remedy.config_changes import Draft, find_passing_draft
from ipvs_audit.remedy.editable_files import read_editable_files
from ipvs_audit.remedy.load_hook import (
    comment_out_hooks,
    find_unjudged_hook,
)
from ipvs_audit.remedy.plan_steps import Plan, WriteFile
from ipvs_audit.remedy.running_values import running_value_steps, why_still_stopped
from ipvs_audit.remedy.simulation import reload_notes, why_not_compliant, with_contents
from ipvs_audit.remedy.write_access import why_not_root, why_unwritable
from ipvs_audit.snapshot import Failure, GarbledEvidenceError, Snapshot

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.remedy.editable_files import EditableFiles

_NO_FILES = (
    "run --remediate-plan without --from-snapshots and --resume: this evidence holds no contents of"
    " files, so the edits of files are not in the plan"
)
_NEXT_KERNEL = (
    "boot the kernel that boots next, then remediate: it has an ip_vs, which would run with the"
    " wrong value; the running kernel has none, so that nothing can be tried or verified now"
)
_UNKNOWN_KERNEL = (
    "it is unknown whether this kernel has run_estimation; on a kernel without it the hook would "
    "break the loading of ip_vs; run as root, or load ip_vs"
)

_SIDE_EFFECTS = (
    "each load of ip_vs would also apply {}; use 'remedy: auto', or approve with "
    "--accept-recipe-side-effects or, for this host, ipvs_audit_accept_recipe_side_effects: true"
)


def make_plan(
    evidence: Snapshot | Failure,
    policy: Policy,
    *,
    accept_statistics_loss: bool = False,
    accept_side_effects: bool = False,
) -> Plan:
    """What is to be done on one host so that it complies with the policy.

    Args:
        evidence: its evidence, with the contents of its files.
        policy: what holds for it.
        accept_statistics_loss: the operator approves of hosts with readers of IPVS statistics.
        accept_side_effects: and of a recipe whose hook may change other keys.
    """
    if isinstance(evidence, Failure):
        return Plan(evidence.target, blocked=evidence.message)
    try:
        plan = _plan(evidence, policy)
        if accept_side_effects or policy.accept_recipe_side_effects:
            plan = replace(plan, needs_approval="")
        if not plan.steps and not plan.blocked:
            return replace(plan, blocked=why_still_stopped(evidence, policy))
        if plan.steps and not (accept_statistics_loss or policy.accept_statistics_loss):
            return _needing_approval(plan, evidence, policy)
    except GarbledEvidenceError as garbled:
        return Plan(evidence.target, blocked=str(garbled))
    return plan


def _needing_approval(plan: Plan, snapshot: Snapshot, policy: Policy) -> Plan:
    losing = snapshot.readers.losing
    no_key = snapshot.census.host.why_unread == "absent" and snapshot.module.loaded
    if policy.estimation == "enabled" or not losing or no_key:
        return plan
    why = (
        f"{losing}, which freeze with estimation off; approve with "
        "--accept-statistics-loss or, for this host, ipvs_audit_accept_statistics_loss: true"
    )
    return replace(plan, needs_approval="; ".join(filter(None, (plan.needs_approval, why))))


def _plan(snapshot: Snapshot, policy: Policy) -> Plan:
    target = snapshot.target
    # Before all else: without the host's own files not even that ip_vs is absent is known.
    if other_root := snapshot.loaders.other_root:
        return Plan(target, blocked=other_root)
    if snapshot.module.state == "absent":
        boots = snapshot.next_boot.brings_ip_vs
        if boots and why_not_compliant(host_config_of(snapshot), policy):
            return Plan(target, blocked=_NEXT_KERNEL)
        return Plan(target, notes=("ip_vs is not present on this host",))
    config = host_config_of(snapshot)
    editable = read_editable_files(snapshot)
    if config.has_switch is False and policy.estimation == "disabled":
        return _without_key(snapshot, config, editable)
    values, notes = running_value_steps(snapshot, policy)
    if not why_not_compliant(config, policy):
        return Plan(target, values, blocked=why_not_root(snapshot) if values else "", notes=notes)
    files = _persistent_files(snapshot, config, editable, policy)
    return replace(files, steps=(*files.steps, *values), notes=(*notes, *files.notes))


def _persistent_files(
    snapshot: Snapshot, config: HostConfig, editable: EditableFiles | None, policy: Policy
) -> Plan:
    """The files to write, why that needs approval or cannot be done, and notes."""
    target = snapshot.target
    if editable is None:
        return Plan(target, blocked=_NO_FILES)
    if config.has_switch is None and policy.estimation == "disabled":
        return Plan(target, blocked=_UNKNOWN_KERNEL)
    found = find_passing_draft(config, editable, policy)
    if found.why_none:
        in_the_way = config.next_boot.in_the_way if config.next_boot else ""
        why = _hook_in_the_way(config) or in_the_way or found.why_none
        why = f"no change to files under /etc would make the value persistent: {why}"
        return Plan(target, blocked=why)
    steps = _writes(found.draft, editable)
    then = replace(config, tree=with_contents(config.tree, found.draft.contents))
    why = why_unwritable(snapshot, config, editable, steps)
    choice = (found.choice,) if found.choice else ()
    effects = found.side_effects and _SIDE_EFFECTS.format(name_effects(found.side_effects))
    return Plan(target, steps, effects or "", why, (*choice, *reload_notes(then, policy)))


def _hook_in_the_way(config: HostConfig) -> str:
    if hook := find_unjudged_hook(config):
        return f"{hook} runs a command that this audit cannot evaluate"
    if hook := find_extended_hook(config):
        return f"{hook} does more than load ip_vs and set the value: change it by hand"
    return ""


def _without_key(snapshot: Snapshot, config: HostConfig, editable: EditableFiles | None) -> Plan:
    """A kernel without the switch: the only fix is to comment out a hook that breaks loading."""
    no_key = (
        f"kernel {snapshot.kernel.release} has no {config.key.dotted}: estimation cannot be "
        "switched off; update the kernel"
    )
    hook = find_breaking_hook(config)
    without = comment_out_hooks(config, editable) if hook and editable else {}
    if not without or editable is None:
        return Plan(snapshot.target, blocked=no_key)
    reason = "on this kernel the hook fails and breaks 'modprobe ip_vs'"
    draft = Draft()
    for path, content in without.items():
        draft = draft.with_file(path, content, "EST-3", reason)
    steps = _writes(draft, editable)
    why = why_unwritable(snapshot, config, editable, steps)
    return Plan(snapshot.target, steps, blocked=why, notes=(no_key,))


def _writes(draft: Draft, editable: EditableFiles) -> tuple[WriteFile, ...]:
    """The draft as steps: the sysctl files first, so that a hook never runs without its value."""
    steps = []
    for path in sorted(draft.contents, key=lambda path: ("/modprobe.d/" in path, path)):
        known = editable.by_real_path(path)
        control, reason = draft.reasons[path]
        before = None if known is None else known.content
        if before != draft.contents[path]:
            steps.append(WriteFile(control, reason, path, before, draft.contents[path]))
    return tuple(steps)
