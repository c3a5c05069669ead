"""From a snapshot to a plan: pure, so that it can be read before anything is touched.

>>> plan(snapshot, Policy()).status                              # doctest: +SKIP
'planned'
>>> print(plan(snapshot, Policy()).steps[0].detail)              # doctest: +SKIP
--- a/etc/sysctl.conf
+++ b/etc/sysctl.conf
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.host_config import host_config_of
from ipvs_audit.remedy.config_changes import Draft, persist
from ipvs_audit.remedy.load_hook import breaks_loading, does_more, unjudged, without_hooks
from ipvs_audit.remedy.original_files import read_originals
from ipvs_audit.remedy.plan_steps import Plan, WriteFile
from ipvs_audit.remedy.running_values import live_steps
from ipvs_audit.remedy.simulation import changed, told_failures, why_not
from ipvs_audit.remedy.write_access import no_rights, why_unwritable
from ipvs_audit.snapshot import Failure, GarbledEvidenceError, Snapshot

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.remedy.original_files import Originals

_NO_ORIGINALS = "the evidence holds no whole files: collect it with --remediate-plan or --remediate"
_UNKNOWN_KERNEL = (
    "whether this kernel has the switch is not known, and on one without it the hook would break "
    "the loading of ip_vs; run as root, or load ip_vs"
)


def plan(
    evidence: Snapshot | Failure, policy: Policy, *, accept_statistics_loss: bool = False
) -> Plan:
    """What is to be done on one host so that it follows the policy.

    Args:
        evidence: its evidence, with the originals of its files.
        policy: what holds for it.
        accept_statistics_loss: the operator's leave for hosts with readers of IPVS statistics.
    """
    if isinstance(evidence, Failure):
        return Plan(evidence.target, impossible=evidence.message)
    try:
        made = _plan(evidence, policy)
        if made.steps and not (accept_statistics_loss or policy.accept_statistics_loss):
            return _held_back(made, evidence, policy)
    except GarbledEvidenceError as garbled:
        return Plan(evidence.target, impossible=str(garbled))
    return made


def _held_back(made: Plan, snapshot: Snapshot, policy: Policy) -> Plan:
    losers = [one for one in snapshot.consumers if one.loses]
    no_key = snapshot.census.host.why_unread == "absent" and snapshot.module.loaded
    if policy.estimation == "enabled" or not losers or no_key:
        return made
    named = ", ".join(f"{one.name} (pid {one.pid})" for one in losers[:5])
    why = (
        f"{named} reads IPVS statistics, which stand still with estimation off; "
        "--accept-statistics-loss, or ipvs_audit_accept_statistics_loss: true for this host"
    )
    return Plan(made.target, made.steps, why, made.impossible, made.notes)


def _plan(snapshot: Snapshot, policy: Policy) -> Plan:
    target = snapshot.target
    if snapshot.module.state == "absent":
        return Plan(target, notes=("this host has no ip_vs: nothing to do",))
    config = host_config_of(snapshot)
    originals = read_originals(snapshot)
    if config.has_switch is False and policy.estimation == "disabled":
        return _without_key(snapshot, config, originals)
    live, notes = live_steps(snapshot, policy)
    if not why_not(config, policy):
        return Plan(target, live, impossible=no_rights(snapshot) if live else "", notes=notes)
    written, why, more = _persisting(snapshot, config, originals, policy)
    return Plan(target, (*written, *live), impossible=why, notes=(*notes, *more))


def _persisting(
    snapshot: Snapshot, config: HostConfig, originals: Originals | None, policy: Policy
) -> tuple[tuple[WriteFile, ...], str, tuple[str, ...]]:
    """The files to write, why that cannot be done, and what to know besides."""
    if originals is None:
        return (), _NO_ORIGINALS, ()
    if config.has_switch is None and policy.estimation == "disabled":
        return (), _UNKNOWN_KERNEL, ()
    found = persist(config, originals, policy)
    if found.why_none:
        why = _hook_in_the_way(config) or found.why_none
        return (), f"no change to files under /etc is judged to make the value persist: {why}", ()
    steps = _writes(found.draft, originals)
    then = replace(config, tree=changed(config.tree, found.draft.contents))
    why = why_unwritable(snapshot, config, originals, steps)
    return steps, why, told_failures(then, policy)


def _hook_in_the_way(config: HostConfig) -> str:
    if hook := unjudged(config):
        return f"{hook} runs a command that this audit cannot judge"
    if hook := does_more(config):
        return f"{hook} does more than a hook of this audit would: it is left to you"
    return ""


def _without_key(snapshot: Snapshot, config: HostConfig, originals: Originals | None) -> Plan:
    """A kernel without the switch: all that helps is to remove a hook that breaks loading."""
    no_key = (
        f"kernel {snapshot.kernel.release} has no {config.key.dotted}: estimation cannot be "
        "switched off; update the kernel"
    )
    hook = breaks_loading(config)
    without = without_hooks(config, originals) if hook and originals else {}
    if not without or originals is None:
        return Plan(snapshot.target, impossible=no_key)
    reason = "on this kernel the hook fails and breaks 'modprobe ip_vs': it is taken out of effect"
    draft = Draft()
    for path, content in without.items():
        draft = draft.of(path, content, "EST-3", reason)
    steps = _writes(draft, originals)
    why = why_unwritable(snapshot, config, originals, steps)
    return Plan(snapshot.target, steps, impossible=why, notes=(no_key,))


def _writes(draft: Draft, originals: Originals) -> tuple[WriteFile, ...]:
    """The draft as steps: the sysctl files first, so that a hook never runs without its value."""
    steps = []
    for path in sorted(draft.contents, key=lambda path: ("/modprobe.d/" in path, path)):
        known = originals.of_real(path)
        control, reason = draft.reasons[path]
        before = None if known is None else known.content
        if before != draft.contents[path]:
            steps.append(WriteFile(control, reason, path, before, draft.contents[path]))
    return tuple(steps)
