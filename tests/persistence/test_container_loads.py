"""A load from a container passes the host's hook; early loading by the host comes before it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, DROP_IN, HOOK, OFF, ON, PROGRAMS, RECIPE, config, off

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.programs import AtPath

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

EARLY = "/etc/modules-load.d/ipvs.conf"
RECIPES = {CONF: OFF, HOOK: RECIPE}


def node(files: dict[str, str], module: str = "loaded", **loaders: bool | None) -> HostConfig:
    seen = {name.replace("_", "-"): other for name, other in loaders.items()}
    return config(files, programs=replace(PROGRAMS, module_loaders=seen), module=module)


@pytest.mark.parametrize(
    ("kube_proxy", "module", "holds"),
    [
        (True, "loaded", None),
        (None, "loaded", None),
        (False, "loaded", True),
        (True, "available", True),
    ],
)
def test_where_kube_proxy_runs_in_a_container_the_hook_may_not_run_at_boot(
    kube_proxy: bool | None, module: str, holds: bool | None
) -> None:
    found = node(RECIPES, module, kube_proxy=kube_proxy)
    assert after_boot(found, off).holds(off) is holds
    assert after_reload(found, off).holds(off) is True


def test_what_helps_is_said() -> None:
    doubt = after_boot(node(RECIPES, kube_proxy=True, keepalived=False), off).doubt
    assert doubt == (
        "kube-proxy runs in a container: a load from there reads the container's modprobe.d, so "
        "the host's hook may not run; load ip_vs early on the host (modules-load.d), with the "
        "value in a file of sysctl.d"
    )


def test_the_way_for_kubernetes_nodes_passes() -> None:
    """The hook for reloads, early loading and systemd-sysctl for boots."""
    files = {DROP_IN: OFF, EARLY: "ip_vs\n", HOOK: RECIPE.replace("-p", f"-p {DROP_IN}")}
    found = node(files, kube_proxy=True)
    assert after_boot(found, off).holds(off) is True
    assert after_reload(found, off).holds(off) is True


def test_a_value_that_does_not_hold_anyway_is_a_fail() -> None:
    files = {CONF: ON, HOOK: RECIPE}
    assert after_boot(node(files, kube_proxy=True), off).holds(off) is False


@pytest.mark.parametrize(
    ("hook", "holds"),
    [
        ("/sbin/modprobe -i ip_vs", True),
        ("/sbin/modprobe -i ip_vs &", None),
        ("/usr/bin/modprobe -i ip_vs", None),
        ("/usr/local/sbin/load-ip-vs", None),
        ("test -n x && /sbin/modprobe -i ip_vs", None),
    ],
)
def test_early_loading_counts_where_the_hook_surely_loads(hook: str, holds: bool | None) -> None:
    files = {DROP_IN: OFF, EARLY: "ip_vs\n", HOOK: f"install ip_vs {hook}\n"}
    assert after_boot(config(files), off).holds(off) is holds


def test_a_directory_in_run_is_not_there_after_a_boot() -> None:
    told = AtPath("absent", writable=True)
    programs = replace(PROGRAMS, paths={**PROGRAMS.paths, "/run/ipvs/log": told, "/run/log": told})
    for log, holds in (("/run/ipvs/log", None), ("/run/log", True)):
        files = {CONF: OFF, HOOK: RECIPE.replace("-p", f"-p > {log}")}
        found = config(files, programs=programs)
        assert after_reload(found, off).holds(off) is True
        assert after_boot(found, off).holds(off) is holds
