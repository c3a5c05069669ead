"""The model of the sysctl loaders, held against what the host's own say that they would do.

Where they agree, the model explains the answer. Where the model alone is not certain, the answer
decides. Where they differ, nothing is certain, and the difference is worth a report.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.resolution import Resolution, resolve_files
from ipvs_audit.snapshot.config_paths import SYSCTL_CONF
from ipvs_audit.snapshot.sysctl_key import loader_path, resolved

if TYPE_CHECKING:
    from ipvs_audit.snapshot.host_answers import HostAnswers, SysctlAnswer
    from ipvs_audit.snapshot.sysctl_key import Key, Value
    from ipvs_audit.snapshot.sysctl_loader import Loader

REPORT = "please report it with the saved evidence (docs/known-limitations.md)"


def settled(
    model: Resolution, builds: tuple[Resolution, ...], answers: HostAnswers, key: Key, *, root: bool
) -> Resolution:
    """What a loader makes of the key, by the model and by the host's answer.

    Args:
        model: what the model says, with its doubt.
        builds: what each program says that this one may be; one where it is known.
        answers: the host's.
        key: the key.
        root: whether the answers are root's: another user's programs pass over what that user
            cannot read, without a word.
    """
    answer = answered_value(model.loader, answers, key)
    if answer is None:
        return model
    command, complete, value, where = answer
    decides = root and complete
    agreeing = next((build for build in builds if build.value == value), None)
    if agreeing is not None and (decides or not model.doubt):
        return replace(agreeing, loader=model.loader, doubt="")
    said = f"this host's {command} " + ("sets nothing" if value is None else f"sets {value}{where}")
    if not decides and model.doubt:
        return model
    if all(build.doubt for build in builds):
        return replace(model, doubt=f"{model.doubt}; {said}")
    winner = model.winner
    expects = f"{model.value} from {winner.where}" if winner else "nothing set"
    why = f"{said}, and this audit expects {expects}: {REPORT}"
    return replace(model, doubt=why, differs=True)


def answered_value(
    loader: Loader, answers: HostAnswers, key: Key
) -> tuple[str, bool, Value | None, str] | None:
    """The host's answer for a loader: the command, whether it read all, the value, its place."""
    if loader.program == "systemd":
        if loader.files is not None or loader.prefixes or answers.files is None:
            return None
        winner = resolve_files(answers.files, loader, key)
        command = "systemd-sysctl --cat-config"
        if winner is None:
            return command, True, None, ""
        return command, True, winner.stores, f" ({winner.setting.file})"
    if loader.files is None:
        said, command = answers.system, "sysctl --dry-run --system"
    elif loader.files == (SYSCTL_CONF,):
        said, command = answers.conf, "sysctl --dry-run -p"
    else:
        return None
    if said is None:
        return None
    return command, said.status == 0, _last_accepted(said, key), ""


def _last_accepted(said: SysctlAnswer, key: Key) -> Value | None:
    """What the kernel holds after these writes: it keeps the value before one that it rejects."""
    accepted = [
        stores
        for name, text in said.writes
        if resolved(loader_path(name)) == key.path and (stores := key.stores(text)) is not None
    ]
    return accepted[-1] if accepted else None
