"""The commands that set the running value where it is wrong, as an operator would type them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.snapshot.namespaces import Netns

_KEY = "net.ipv4.vs.run_estimation"
#: Whoever made a namespace chose its name: only a plain one becomes part of a command.
_NAMED = re.compile(r"ip netns ([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})")
_PROCESS = re.compile(r"pid ([0-9]{1,10}) \(.*\)", re.DOTALL)
_CPULIST = "set net.ipv4.vs.est_cpulist to the CPUs that the estimator may use, e.g. 0-3"


def set_host_value(host: Netns, policy: Policy) -> str:
    """What sets the value in the host's own namespace."""
    command = f"{_set(policy)}, and make it persistent (EST-2, EST-3)"
    if policy.estimation == "disabled" or not host.stopped:
        return f"Run: {command}"
    if host.value:
        return f"In the host's network namespace {_CPULIST}"
    return f"Run: {command}\nThen {_CPULIST}"


def set_values(namespaces: Sequence[Netns], policy: Policy) -> str:
    """What sets the value in each of these namespaces, other than the host's, a line for each."""
    return "\n".join(_in(netns, policy) for netns in namespaces)


def _set(policy: Policy) -> str:
    return f"sysctl -w {_KEY}={policy.wanted}"


def _in(netns: Netns, policy: Policy) -> str:
    place = f"{netns.name} (net:[{netns.inode}])"
    if netns.value is None:
        return (
            f"In {place} this kernel hides the key: remove the IPVS rules there, or move them to"
            " the host's network namespace"
        )
    if policy.accepts(netns.value):
        return f"In {place} {_CPULIST}"
    if named := _NAMED.fullmatch(netns.name):
        return f"Run: ip netns exec {named[1]} {_set(policy)}"
    if process := _PROCESS.fullmatch(netns.name):
        return f"Run: nsenter -t {process[1]} -n {_set(policy)}"
    return (
        f"In {place} run: nsenter -t PID -n {_set(policy)}, with a PID that 'lsns -t net' shows"
        f" for {netns.inode}"
    )
