"""``sysctl --pattern RE``: only lines whose key matches an extended regular expression count."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.sysctl_config import settings
from ipvs_audit.snapshot.sysctl_key import glob_matches, is_glob, resolved

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.config_files import ConfigFile, Line
    from ipvs_audit.snapshot.sysctl_config import Setting
    from ipvs_audit.snapshot.sysctl_loader import Loader

#: What POSIX and Python read differently, or what may take Python long: letters behind a backslash,
#: a backslash or a class in a bracket, (?, braces, quantifiers of groups or of quantifiers.
_NOT_ALIKE = re.compile(
    r"\\[^\W_]|\\$|\[[^]]*\\|\[\[|\[\^?\]|\[[^]]*\[|\(\?|[{}]|\)[*+?]|[*+?][*+?]|(?:^|[(|^])[*+?]"
)
_QUANTIFIER = re.compile(r"[*+?]")
_MOST_QUANTIFIERS = 3
_LONGEST = 128


def parse_pattern(text: str) -> re.Pattern[str] | None:
    r"""The expression, or None where Python may read it in another way than regcomp(3).

    >>> parse_pattern("^net.ipv4.vs").search("net.ipv4.vs.run_estimation") is not None
    True
    >>> parse_pattern(r"\wnet"), parse_pattern("(a|b)*"), parse_pattern("[[:alpha:]]")
    (None, None, None)
    """
    odd = _NOT_ALIKE.search(text) or not text or len(text) > _LONGEST
    if odd or len(_QUANTIFIER.findall(text)) > _MOST_QUANTIFIERS:
        return None
    try:
        return re.compile(text)
    except re.error:
        return None


def lines_that_match(
    config: HostConfig, loader: Loader, pattern: re.Pattern[str]
) -> tuple[HostConfig, str]:
    """The host with only those lines, and why it is not certain whether one of them is applied.

    procps compares the key as the line spells it.
    """
    doubts: list[str] = []

    def applied(file: ConfigFile, line: Line) -> bool:
        found = settings(file, line, loader)
        for setting in found:
            answers = {_matches(pattern, name) for name in (setting.spelled, config.key.dotted)}
            if _concerns(config, setting) and len(answers) > 1:
                doubts.append(f"whether --pattern {pattern.pattern} applies to {setting.where}")
        return not found or any(_matches(pattern, setting.spelled) for setting in found)

    files = {
        path: replace(file, lines=tuple(line for line in file.lines if applied(file, line)))
        if "sysctl" in path and file.lines
        else file
        for path, file in config.tree.files.items()
    }
    return replace(config, tree=replace(config.tree, files=files)), doubts[0] if doubts else ""


def _matches(pattern: re.Pattern[str], name: str) -> bool:
    return len(name) <= _LONGEST and pattern.search(name) is not None


def _concerns(config: HostConfig, setting: Setting) -> bool:
    if is_glob(setting.path):
        return glob_matches(setting.path, config.key.path)
    return resolved(setting.path) == config.key.path
