"""EST-1 on snapshots made by hand: one line a state of the world."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made import ABSENT, LOADED, NO_KEY, available, census, host, netns, snapshot, verdict

from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot.kernel import Kernel, Module
from ipvs_audit.snapshot.next_boot import BootKernel, NextBoot

ENABLED = Policy(estimation="enabled")


def alinux3(release: str) -> dict[str, Any]:
    return {
        "host": host(**{"os ID": "alinux", "os VERSION_ID": "3"}),
        "kernel": Kernel(release),
    }


FILE = "/lib/modules/x/ip_vs.ko"
NOW = BootKernel("6.1.0-40-cloud-amd64", "the default entry", running=True)
WITH = BootKernel("6.12.0", "the default entry", module="available", file=FILE, knows_switch=True)
WITHOUT = replace(WITH, release="5.10.0", knows_switch=False)
UNREAD_ONE = replace(WITH, knows_switch=None)
NO_IP_VS = BootKernel("6.12.0", "the default entry", module="absent")
OLD, NEW = "5.10.112-11.2.al8.x86_64", "5.10.134-16.3.al8.x86_64"
ELREPO = "6.1.0-1.el8.elrepo.x86_64"


@pytest.mark.parametrize(
    ("parts", "policy", "expected", "says"),
    [
        ({}, Policy(), "pass", "the kernel has the key"),
        ({"census": census(NO_KEY)}, Policy(), "fail", "cannot switch estimation off"),
        ({"module": ABSENT}, Policy(), "not_applicable", "ip_vs is not present"),
        ({"census": census(NO_KEY)}, ENABLED, "not_applicable", "wants estimation enabled"),
        ({"module": available(True), "census": census(NO_KEY)}, Policy(), "pass", "ip_vs.ko.xz"),
        ({"module": available(False), "census": census(NO_KEY)}, Policy(), "fail", "ip_vs.ko.xz"),
        ({"module": available(None), "census": census(NO_KEY)}, Policy(), "inconclusive", "root"),
        (
            {"module": available(None), "census": census(NO_KEY)} | alinux3(NEW),
            Policy(),
            "inconclusive",
            "5.10.134-14, is reached",
        ),
        (
            {"module": available(None), "census": census(NO_KEY)} | alinux3(OLD),
            Policy(),
            "fail",
            "cannot",
        ),
        (
            {"module": available(None), "census": census(NO_KEY)} | alinux3(ELREPO),
            Policy(),
            "inconclusive",
            "reaches the documented minimum, 5.10.134-14, cannot be told from its release",
        ),
        (alinux3(OLD), Policy(), "pass", "yet the documented minimum is 5.10.134-14"),
        (
            {"census": census(NO_KEY)} | alinux3(NEW),
            Policy(),
            "fail",
            "although the documented minimum, 5.10.134-14, is reached",
        ),
        (
            {"census": census(replace(NO_KEY, other_switch="estimation_timer_work=1"))},
            Policy(),
            "fail",
            "estimation_timer_work",
        ),
        (
            {"census": census(netns(raw=None, why_unread="denied"))},
            Policy(),
            "inconclusive",
            "hides",
        ),
        (
            {"module": replace(LOADED, livepatches=("kpatch_1",))},
            Policy(),
            "inconclusive",
            "kpatch_1",
        ),
        (
            {"module": replace(LOADED, livepatches=("kpatch_1",)), "census": census(NO_KEY)},
            Policy(),
            "inconclusive",
            "live-patched",
        ),
        (
            {"module": replace(LOADED, file="/lib/modules/x/updates/dkms/ip_vs.ko")},
            Policy(),
            "pass",
            "/lib/modules/x/updates/dkms/ip_vs.ko is not the kernel's own module",
        ),
        (
            {"module": replace(LOADED, file="/lib/modules/x/updates/ip_vs.ko", knows_switch=False)},
            Policy(),
            "fail",
            "updates/ip_vs.ko, which the next load takes, does not hold the key's name",
        ),
        ({"module": replace(LOADED, taint="OE")}, Policy(), "pass", "out of the kernel's tree"),
        ({"next_boot": NextBoot((WITHOUT,))}, Policy(), "fail", "kernel 5.10.0 boots next"),
        ({"next_boot": NextBoot((NOW, WITHOUT))}, Policy(), "fail", "cannot switch estimation off"),
        (
            {"next_boot": NextBoot((WITHOUT,))},
            ENABLED,
            "not_applicable",
            "wants estimation enabled",
        ),
        ({"next_boot": NextBoot((WITH,))}, Policy(), "pass", "kernel 6.12.0 boots next"),
        ({"next_boot": NextBoot((UNREAD_ONE,))}, Policy(), "inconclusive", "could not be read"),
        ({"next_boot": NextBoot((NO_IP_VS,))}, Policy(), "pass", "it has no ip_vs"),
        (
            {"next_boot": NextBoot((), untold="no loader")},
            Policy(),
            "pass",
            "cannot be told (no loader): this speaks of the running one",
        ),
        ({"next_boot": NextBoot((NOW,), kexec="kexec")}, Policy(), "inconclusive", "kexec"),
        (
            {"next_boot": NextBoot((WITH,)), "census": census(NO_KEY)},
            Policy(),
            "fail",
            "a reboot helps: kernel 6.12.0 boots next",
        ),
        ({"module": ABSENT, "next_boot": NextBoot((WITHOUT,))}, Policy(), "fail", "5.10.0"),
        ({"module": ABSENT, "next_boot": NextBoot((WITH,))}, Policy(), "pass", "6.12.0 boots next"),
        (
            {"module": ABSENT, "next_boot": NextBoot((NO_IP_VS,))},
            Policy(),
            "not_applicable",
            "ip_vs is not present",
        ),
        (
            {
                "module": Module("available", FILE, True, None, ()),
                "census": census(NO_KEY),
                "next_boot": NextBoot((), untold="x", modules_gone=True),
            },
            Policy(),
            "pass",
            "holds the key's name",
        ),
        (
            {
                "module": Module("unknown", None, None, None, ()),
                "census": census(NO_KEY),
                "next_boot": NextBoot((), untold="x", modules_gone=True),
            },
            Policy(),
            "inconclusive",
            "cannot be before the next boot: /lib/modules/6.1.0-40-cloud-amd64 is gone",
        ),
    ],
)
def test_est_1(parts: dict[str, Any], policy: Policy, expected: str, says: str) -> None:
    result = verdict("EST-1", snapshot(**parts), policy)
    assert (result.verdict.value, says in result.message) == (expected, True), result.message
