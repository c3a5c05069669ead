"""The configuration as it would be after a change, and what the loaders would make of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.file_tree import parse_lines
from ipvs_audit.persistence.persisted_value import persisted_value
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.persistence.host_config import HostConfig


def changed(tree: ConfigTree, contents: Mapping[str, bytes]) -> ConfigTree:
    """The tree with other contents of some files, by real path; new ones are root's, 0644."""
    files = dict(tree.files)
    for real, content in contents.items():
        lines = parse_lines(content, continued="/modprobe.d/" in real)
        told = {
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "lines": lines,
        }
        paths = [path for path, file in files.items() if file.real == real]
        for path in paths:
            files[path] = replace(files[path], **told)  # type: ignore[arg-type]
        if not paths:
            files[real] = ConfigFile(real, real, 0, 0, 0o644, **told)  # type: ignore[arg-type]
    return replace(tree, files=files)


def why_not_persisted(config: HostConfig, policy: Policy) -> str:
    """Why EST-2 would not pass; empty where it does. The check asks the same functions."""
    found = persisted_value(config, policy.accepts)
    if found.conflicting:
        return found.conflict
    if found.doubts:
        return found.doubts[0]
    if policy.estimation == "disabled" and not found.sets_policy_value:
        return "no loader of this host reads a line that sets the key"
    return ""


def why_not_reloaded(config: HostConfig, policy: Policy) -> str:
    """Why EST-3 would not pass; empty where it does. The check asks the same functions."""
    for when, after in (("a module reload", after_reload), ("a boot", after_boot)):
        prediction = after(config, policy.accepts)
        if prediction.holds(policy.accepts) is not True:
            return f"after {when}: {prediction.reason}"
    return ""


def why_not(config: HostConfig, policy: Policy) -> str:
    """Why the value would not persist; empty where EST-2 and EST-3 both pass."""
    return why_not_persisted(config, policy) or why_not_reloaded(config, policy)


def told_failures(config: HostConfig, policy: Policy) -> tuple[str, ...]:
    """What an operator should know although all holds, e.g. that the hook reports a failure."""
    return after_reload(config, policy.accepts).notes
