"""Whether a command's redirections can be opened: where one cannot, the command does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.persistence import ip_vs_keys
from ipvs_audit.persistence.hook.write_commands import key_exists, may_name_key, names_key
from ipvs_audit.persistence.shell.streams import DUPLICATES
from ipvs_audit.snapshot.config_paths import CONFIGURATION

if TYPE_CHECKING:
    from ipvs_audit.persistence.hook.state import State
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.shell.streams import Redirections
    from ipvs_audit.snapshot.programs import AtPath

_ALWAYS = frozenset(("/dev/null", "/dev/zero"))
_VS = "/proc/sys/net/ipv4/vs/"
#: Files there come and go with modules.
_KERNEL = ("/proc/", "/sys/")
_READS = frozenset(("<",))
#: Programs that write what is known to their output: see write_commands.
_KNOWN_OUTPUT = frozenset(("echo", "printf"))
_OVERWRITING = (">", ">>", ">|")


def opened(
    config: HostConfig, redirections: Redirections, state: State
) -> tuple[bool | None, str, State]:
    """Open redirections, from left to right.

    Returns:
        Whether all can be opened (None: not known), why not, and the state after it: what is
        opened for writing is emptied.
    """
    unsure = ""
    for descriptor, operator, target in redirections:
        if operator in DUPLICATES:
            if target == "-":
                unsure = unsure or f"it closes descriptor {descriptor or 1}"
            elif target not in ("0", "1", "2"):
                unsure = unsure or f"whether descriptor {target} is open is not known"
            continue
        can, why = _can_open(config, operator, target, state)
        if can is False:
            return False, why, state
        if can is None:
            unsure = unsure or why
        if operator not in _READS and any(part in target for part in CONFIGURATION):
            state = state.never_certain(f"a redirection rewrites {target}")
    return (None if unsure else True), unsure, state


def _can_open(
    config: HostConfig, operator: str, target: str, state: State
) -> tuple[bool | None, str]:
    if target in _ALWAYS:
        return True, ""
    if names_key(config, target):
        return key_exists(config, state), f"{target} does not exist"
    if target.startswith(_VS) and target.removeprefix(_VS) in ip_vs_keys.SINCE_4_4:
        return (
            state.loaded,
            "" if state.loaded else f"{target} does not exist before ip_vs is loaded",
        )
    return _can_open_file(config.programs.at(target), operator, target)


def _can_open_file(at: AtPath | None, operator: str, target: str) -> tuple[bool | None, str]:
    if at is None or at.exists is None or (target.startswith(_KERNEL) and not at.exists):
        return None, f"whether {target} can be opened is not known"
    if operator in _READS:
        can = at.exists and at.state != "directory"
        return can, "" if can else f"{target} cannot be read"
    if at.state in ("directory", "nowhere"):
        what = "is a directory" if at.state == "directory" else "is in a directory that is missing"
        return False, f"{target} {what}"
    if at.writable is None or at.state == "dangling":
        return None, f"whether {target} can be written is not known"
    return at.writable, "" if at.writable else f"{target} cannot be written"


def writes_key_blindly(config: HostConfig, name: str, redirections: Redirections) -> str:
    """The file that may be the key, where what is written into it is not known; else empty."""
    keys = [
        (operator, target)
        for _descriptor, operator, target in redirections
        if operator not in (*_READS, *DUPLICATES)
        and (names_key(config, target) or may_name_key(config, target))
    ]
    known = (
        name in _KNOWN_OUTPUT
        and len(keys) == 1
        and keys[0][0] in _OVERWRITING
        and names_key(config, keys[0][1])
    )
    return "" if known or not keys else keys[0][1]
