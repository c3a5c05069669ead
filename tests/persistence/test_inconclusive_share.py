"""Common set-ups on healthy Debian 11, 12 and 13 hosts get a pass or a fail, never a doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, DROP_IN, HOOK, LOADERS, OFF, RECIPE, config

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.policy_verdicts import judge_persisted, judge_reload

DEBIAN = {
    "11": replace(LOADERS, procps=(3, 3, 17), systemd_version=247, kmod=28, os_id="debian"),
    "12": replace(LOADERS, procps=(4, 0, 2), systemd_version=252, kmod=30, os_id="debian"),
    "13": replace(LOADERS, procps=(4, 0, 4), systemd_version=257, kmod=34, os_id="debian"),
}
NODE = "net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\nvm.swappiness = 1\n"
MODULES = "ip_vs\nip_vs_rr\nip_vs_wrr\nip_vs_sh\nnf_conntrack\n"
SYSTEM = RECIPE.replace("sysctl -p", "sysctl --system")
SETUPS = {
    "the recipe": ({CONF: OFF, HOOK: RECIPE}, Verdict.PASS),
    "the recipe beside other keys": (
        {CONF: "net.ipv4.ip_forward = 1\n" + OFF, HOOK: RECIPE},
        Verdict.PASS,
    ),
    "a drop-in with its hook": ({DROP_IN: OFF, HOOK: SYSTEM}, Verdict.PASS),
    "a drop-in whose hook names it": (
        {DROP_IN: OFF, HOOK: RECIPE.replace("sysctl -p", f"sysctl -p {DROP_IN}")},
        Verdict.PASS,
    ),
    # As kubespray sets up a node for ipvs; estimation is on again after a reload.
    "kubespray": (
        {
            "/etc/modules-load.d/kube_proxy-ipvs.conf": MODULES,
            "/etc/sysctl.d/99-sysctl.conf": NODE + OFF,
        },
        Verdict.FAIL,
    ),
    # As kubekey does, which writes to /etc/sysctl.conf.
    "kubekey": (
        {
            "/etc/modules-load.d/kube_proxy-ipvs.conf": MODULES,
            CONF: NODE + OFF,
            "/etc/sysctl.d/99-sysctl.conf": f"->{CONF}",
        },
        Verdict.FAIL,
    ),
    "kubespray and a hook": (
        {
            "/etc/modules-load.d/kube_proxy-ipvs.conf": MODULES,
            "/etc/sysctl.d/99-sysctl.conf": NODE + OFF,
            HOOK: SYSTEM,
        },
        Verdict.PASS,
    ),
    "only a drop-in": ({DROP_IN: OFF}, Verdict.FAIL),
    "nothing": ({}, Verdict.FAIL),
}


@pytest.mark.parametrize("release", DEBIAN)
def test_no_common_set_up_is_inconclusive(release: str) -> None:
    open_ones = []
    for name, (files, expected) in SETUPS.items():
        about = config(files, loaders=DEBIAN[release], has_switch=True)
        verdict, why = judge_reload(about, Policy())
        if verdict is Verdict.INCONCLUSIVE:
            open_ones.append(f"{name}: {why}")
        else:
            assert verdict is expected, f"{name}: {why}"
        persisted, why = judge_persisted(about, Policy())
        assert persisted is not Verdict.INCONCLUSIVE, f"{name}: {why}"
    print(f"\nDebian {release}: {len(open_ones)} of {len(SETUPS)} inconclusive on EST-3")  # noqa: T201
    assert not open_ones
