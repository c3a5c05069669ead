"""The configuration as it would be after a change, and what the loaders would make of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.policy_verdicts import judge_persisted, judge_reload
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.tree_on_disk.lines import parse_lines
from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.persistence.host_config import HostConfig


def with_contents(tree: ConfigTree, contents: Mapping[str, bytes]) -> ConfigTree:
    """The tree with other contents of some files, by real path; new ones are root's, 0644."""
    files = dict(tree.files)
    for real, content in contents.items():
        lines = parse_lines(real, content)
        facts = {
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "lines": lines,
        }
        paths = [path for path, file in files.items() if file.real == real]
        for path in paths:
            files[path] = replace(files[path], **facts)  # type: ignore[arg-type]
        if not paths:
            files[real] = ConfigFile(real, real, 0, 0, 0o644, **facts)  # type: ignore[arg-type]
    return replace(tree, files=files)


def why_not_compliant(config: HostConfig, policy: Policy) -> str:
    """Why the value would not persist; empty where EST-2 and EST-3 both pass."""
    return judge_persisted(config, policy)[1] or judge_reload(config, policy)[1]


def reload_notes(config: HostConfig, policy: Policy) -> tuple[str, ...]:
    """What an operator should know although all holds, e.g. that the hook reports a failure."""
    return after_reload(config, policy.accepts).notes
