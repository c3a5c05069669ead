"""The second question: which value does the key have after the host has booted?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.beside import late_writes
from ipvs_audit.persistence.early import Early, loaded_early
from ipvs_audit.persistence.outcome import Accepts, Outcome
from ipvs_audit.persistence.reload import after_reload, without_switch

if TYPE_CHECKING:
    from ipvs_audit.persistence.subject import Subject

_CMDLINE = "sysctl."


def after_boot(subject: Subject, accepts: Accepts) -> Outcome:
    """What a boot leaves once ip_vs is loaded, early or on demand."""
    if not subject.needs_module:
        return _unconditional(subject)
    early = loaded_early(subject)
    if early.doubt:
        return replace(after_reload(subject, accepts), doubt=early.doubt)
    if not early.by:
        later = after_reload(subject, accepts)
        when = "ip_vs is loaded on demand, after systemd-sysctl has run; then "
        when = when if subject.systemd_runs else "ip_vs is loaded on demand; then "
        return replace(later, because=when + later.because)
    return without_switch(subject, _early(subject, early, accepts), accepts)


def _early(subject: Subject, early: Early, accepts: Accepts) -> Outcome:
    if early.through_modprobe:
        first = after_reload(subject, accepts)
        if first.fault or (first.value is None and not first.doubt):
            return first
        how = f"{early.by} loads ip_vs early"
    else:
        first = _builtin(subject)
        how = early.by
    if not subject.systemd_runs:
        if subject.loaders.init == "systemd":
            return replace(first, because=f"{how}; systemd-sysctl does not run: {first.because}")
        doubt = (
            f"what {subject.loaders.init or 'this init'} runs at boot is not known to this audit"
        )
        return replace(first, doubt=first.doubt or doubt)
    applied = subject.resolve(subject.systemd_sysctl)
    if applied.doubt:
        return replace(first, doubt=f"systemd-sysctl: {applied.doubt}")
    if applied.winner is None or applied.value is None:
        because = f"{how}; systemd-sysctl, which runs after it, sets nothing; {first.because}"
        return replace(first, because=because)
    because = (
        f"{how}, and systemd-sysctl, which runs after it, "
        f"sets {applied.value} ({applied.winner.where})"
    )
    race = late_writes(subject, applied.value)
    return replace(first, value=applied.value, because=because, doubt=race)


def _builtin(subject: Subject) -> Outcome:
    """What the kernel starts with: 1, or what ``sysctl.`` on its command line says."""
    value: int | str | None = 1 if subject.has_switch is not False else None
    because = "the kernel's default is 1"
    for word in subject.tree.cmdline:
        name, equals, text = word.removeprefix(_CMDLINE).partition("=")
        if word.startswith(_CMDLINE) and equals and name.replace("/", ".") == subject.key.dotted:
            stores = subject.key.stores(text)
            if stores is not None:
                value, because = stores, f"the kernel command line sets {stores}"
    return Outcome(value, because)


def _unconditional(subject: Subject) -> Outcome:
    """A key that is there from the start."""
    if not subject.systemd_runs:
        return Outcome(None, "", doubt="systemd-sysctl does not run here")
    applied = subject.resolve(subject.systemd_sysctl)
    if applied.doubt:
        return Outcome(None, "", doubt=applied.doubt)
    if applied.winner is None:
        return Outcome(None, "systemd-sysctl sets nothing: the kernel's default stays")
    because = f"systemd-sysctl sets {applied.value} ({applied.winner.where})"
    return Outcome(applied.value, because)
