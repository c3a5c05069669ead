"""The vendor's recipe as lines to write: where the value goes, and the hook that applies it.

Source: the vendor's document, steps 2 and 3 ("IPVS module reloads").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.interpreter import run_shell
from ipvs_audit.persistence.hook.state import Command, State
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.reload import find_hook
from ipvs_audit.snapshot.config_paths import SYSCTL_CONF

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

#: Drop-ins in the order in which they are tried; a later name is read after more of the others.
DROP_INS = (
    "/etc/sysctl.d/90-ipvs.conf",
    "/etc/sysctl.d/99-ipvs.conf",
    "/etc/sysctl.d/99-zz-ipvs.conf",
    "/etc/sysctl.d/zz-ipvs.conf",
)
#: Files for the hook, in the order in which they are tried: of several hooks the first wins.
HOOKS = ("/etc/modprobe.d/ipvs.conf", "/etc/modprobe.d/00-ipvs.conf")

_JOINTS = re.compile(r"&&|\|\||[;|&\n]")
_REDIRECTED = re.compile(r"[0-9]?>>?\s*(?:&[0-9]|/dev/null)")


def hook_line(config: HostConfig, reads: str) -> str:
    """The document's line; ``sysctl -p`` names its file where it is another than its own.

    The document calls /sbin/modprobe and /sbin/sysctl; a host that has them elsewhere than in a
    ``sbin`` is taken at its word.
    """
    modprobe = _program(config.loaders.modprobe, "/sbin/modprobe")
    return f"install ip_vs {modprobe} --ignore-install ip_vs && {apply_command(config, reads)}"


def apply_command(config: HostConfig, reads: str) -> str:
    """The command that applies one sysctl file; the document's ``sysctl -p`` where it can."""
    sysctl = _program(config.loaders.sysctl_path, "/sbin/sysctl")
    return f"{sysctl} -p" if reads == SYSCTL_CONF else f"{sysctl} -p {reads}"


def _program(path: str | None, documented: str) -> str:
    if path is None or path in (documented, f"/usr{documented}"):
        return documented
    return path


def find_extended_hook(config: HostConfig) -> str:
    """The hook that does more than load ip_vs and apply sysctl files; empty for none."""
    hook, _ = find_hook(config)
    if hook is None:
        return ""
    parts = [_REDIRECTED.sub("", part).split() for part in _JOINTS.split(hook.rest)]
    return "" if all(_only_sets_the_key(words) for words in parts if words) else hook.where


def _only_sets_the_key(words: list[str]) -> bool:
    name, rest = words[0].rpartition("/")[2], words[1:]
    named = [word for word in rest if not word.startswith("-") and word != "$CMDLINE_OPTS"]
    if name == "modprobe":
        return all(word.replace("-", "_") == MODULE for word in named)
    if name == "sysctl":
        return all(word.startswith("/") or "run_estimation" in word for word in named)
    if name in ("echo", "printf", "tee"):
        return "run_estimation" in " ".join(rest)
    return name in ("systemd-sysctl", "true", "false", ":", "exit", "sleep")


def find_breaking_hook(config: HostConfig) -> str:
    """Where the hook stands that fails on a kernel without the key; empty for none."""
    if config.has_switch is not False:
        return ""
    hook, _ = find_hook(config)
    if hook is None:
        return ""
    ends = run_shell(config, Command(hook.rest, hook.where), State())
    return hook.where if all(end.status or end.fault for end in ends) else ""
