"""The kernel that boots next, on a guest that has the modules of three kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab.evidence import collected
from made import check

from ipvs_audit.controls.control import judge
from ipvs_audit.model.policy import Policy
from lab import fleet as lab_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.guest import Guest

MENU = "/boot/grub/grub.cfg"


@pytest.fixture(scope="module")
def guest(_qemu_works: None) -> Iterator[Guest]:
    """Linux 6.1 with the vendor's recipe."""
    folder = lab_fleet.own_folder() / "next-boot"
    made = lab_fleet.boot("6.1", folder, name="next-boot", states=["recipe", "services"])
    made.ssh("mkdir -p /boot/grub")
    yield made
    made.stop()


def entry(release: str) -> str:
    return f"menuentry 'Linux {release}' {{\n\tlinux /boot/vmlinuz-{release} root=/dev/vda\n}}\n"


def verdicts(guest: Guest) -> dict[str, tuple[str, str]]:
    evidence = collected(guest)
    found = {name: judge(check(name), evidence, Policy()) for name in ("EST-1", "EST-2", "EST-3")}
    return {name: (one.verdict.value, one.message) for name, one in found.items()}


def installed(guest: Guest, series: str) -> str:
    return guest.ssh(f"basename /lib/modules/{series}.*").stdout.strip()


def test_a_guest_that_qemu_gives_its_kernel_speaks_of_the_running_one(guest: Guest) -> None:
    found = verdicts(guest)
    assert {one for one, _ in found.values()} == {"pass"}, found
    assert "which kernel boots next cannot be told" in found["EST-1"][1]
    assert "which kernel boots next cannot be told" in found["EST-3"][1]


@pytest.mark.parametrize(("series", "expected"), [("5.10", "fail"), ("6.12", "pass")])
def test_the_ip_vs_of_the_default_kernel_is_what_decides(
    guest: Guest, series: str, expected: str
) -> None:
    running, other = guest.ssh("uname -r").stdout.strip(), installed(guest, series)
    guest.put(MENU, 'set default="1"\n' + entry(running) + entry(other))
    found = verdicts(guest)
    assert (found["EST-1"][0], found["EST-3"][0]) == (expected, expected), found
    assert f"kernel {other} boots next (the default entry of {MENU})" in found["EST-1"][1]
    guest.put(MENU, 'set default="0"\n' + entry(running) + entry(other))
    found = verdicts(guest)
    assert {one for one, _ in found.values()} == {"pass"}, found
    assert "the running kernel boots next" in found["EST-1"][1]


def test_a_hook_in_memory_is_gone_after_a_boot(guest: Guest) -> None:
    hook = "/etc/modprobe.d/ipvs.conf"
    guest.ssh(f"cp {hook} /tmp/x; mount -t tmpfs none /etc/modprobe.d; cp /tmp/x {hook}")
    try:
        found = verdicts(guest)
    finally:
        guest.ssh("umount /etc/modprobe.d")
    assert (found["EST-3"][0], "/etc/modprobe.d is a mount" in found["EST-3"][1]) == (
        "inconclusive",
        True,
    ), found
