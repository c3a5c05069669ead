"""Programs whose version is not known may be any: where versions differ, the result is a doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, DROP_IN, HOOK, LOADERS, OFF, ON, RECIPE, config, off

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.sysctl_loader import Loader

DASHED = "-net.ipv4.vs.run_estimation = 0\n"


@pytest.mark.parametrize(("line", "holds"), [(OFF, True), (ON, False), (DASHED, None)])
def test_a_procps_that_hides_its_version_may_be_any(line: str, holds: bool | None) -> None:
    """A leading dash is an option from 3.3.16 on, and part of the name before."""
    loaders = replace(LOADERS, procps=None)
    found = after_reload(config({CONF: line, HOOK: RECIPE}, loaders=loaders), off)
    assert found.holds(off) is holds
    assert holds is not None or "the version of procps is not known" in found.doubt


@pytest.mark.parametrize(("line", "holds"), [(OFF, True), (DASHED, None)])
def test_a_systemd_that_hides_its_version_may_be_any(line: str, holds: bool | None) -> None:
    loaders = replace(LOADERS, systemd_version=None)
    files = {DROP_IN: line, "/etc/modules-load.d/ipvs.conf": "ip_vs\n"}
    assert after_boot(config(files, loaders=loaders), off).holds(off) is holds


@pytest.mark.parametrize("kind", ["toybox", "unknown"])
def test_another_sysctl_is_not_taken_for_procps(kind: str) -> None:
    loaders = replace(LOADERS, procps=None, sysctl_kind=kind)
    assert after_reload(config({CONF: OFF, HOOK: RECIPE}, loaders=loaders), off).holds(off) is None


@pytest.mark.parametrize(
    ("kind", "holds"), [("kmod", True), ("busybox", False), ("toybox", None), ("unknown", None)]
)
def test_another_modprobe_may_run_no_hook(kind: str, holds: bool | None) -> None:
    """module-init-tools runs install commands, busybox does not; of others it is not known."""
    loaders = replace(LOADERS, kmod=30 if kind == "kmod" else None, modprobe_kind=kind)
    files = {CONF: OFF, HOOK: RECIPE}
    assert after_reload(config(files, loaders=loaders), off).holds(off) is holds


def test_the_newest_comes_first_of_all_versions() -> None:
    assert Loader("procps").builds[0].version == (4, 0, 4)
    assert Loader("systemd").builds[0].version == (257,)


@pytest.mark.parametrize(
    ("procps", "then", "holds"),
    [
        ((3, 3, 10), "&&", False),
        ((3, 3, 15), "&&", False),
        ((3, 3, 10), ";", True),
        ((3, 3, 16), "&&", True),
        ((4, 0, 2), "&&", True),
    ],
)
def test_a_leading_dash_makes_an_old_procps_fail_in_the_hook(
    procps: tuple[int, ...], then: str, *, holds: bool
) -> None:
    """It looks for a key of that very name, exits with 255, and ends an && there."""
    write = "sysctl -w net.ipv4.vs.run_estimation=0"
    hook = f"install ip_vs /sbin/modprobe -i ip_vs && /sbin/sysctl -p {then} {write}\n"
    files = {CONF: "-kernel.panic = 1\n", HOOK: hook}
    loaders = replace(LOADERS, procps=procps)
    assert after_reload(config(files, loaders=loaders), off).holds(off) is holds
