"""Loads of ip_vs from a container, which read the container's modprobe.d and not the host's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

_CURE = "load ip_vs early on the host (modules-load.d), with the value in a file of sysctl.d"


def load_from_container(config: HostConfig) -> str:
    """Why a container may be the one that loads ip_vs, past the host's hook; empty for nothing.

    kube-proxy, kube-router and keepalived run modprobe when they start. Where ip_vs is not loaded
    now, none of them has loaded it.
    """
    if config.module != "loaded":
        return ""
    seen = config.programs.module_loaders
    inside = sorted(name for name, other in seen.items() if other)
    unknown = sorted(name for name, other in seen.items() if other is None)
    if inside:
        runs = f"{', '.join(inside)} runs in a container: a load from there reads the container's"
        return f"{runs} modprobe.d, so the host's hook may not run; {_CURE}"
    if unknown:
        return f"whether {', '.join(unknown)} runs in a container could not be seen; {_CURE}"
    return ""
