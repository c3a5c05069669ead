"""What hooks really leave on a Debian 12 guest with Linux 6.1, against what the model says."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, LOADERS, OFF, RECIPE, config, off
from lab.evidence import collected

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.reload import after_reload
from lab import fleet as lab_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.guest import Guest

    from ipvs_audit.snapshot.programs import Programs

HOOK = "/etc/modprobe.d/ipvs.conf"
VALUE = "/proc/sys/net/ipv4/vs/run_estimation"
LOAD = "/sbin/modprobe -i ip_vs"
SET = "/sbin/sysctl -p"

#: Hooks of which the model must know what they leave on this guest, and do.
KNOWN = (
    f"{LOAD} && {SET}",
    f"{LOAD}; {SET} || true",
    f"{LOAD} && /usr/bin/sysctl -p",
    f"{LOAD} && /usr/local/sbin/sysctl -p",
    f"{LOAD} && /bin/sysctl -p",
    f"{LOAD} && /etc/hostname",
    f"/usr/bin/modprobe -i ip_vs && {SET}",
    f"{LOAD} && {SET} > /nowhere/log 2>&1",
    f"{LOAD} && {SET} >> /var/log/ipvs.log 2>&1",
    f"{LOAD} && {SET} > /etc",
    f"{LOAD} && {{ {SET}; }} > /nowhere/log",
    f"{LOAD} && : > /nowhere/log; {SET}",
    f"{LOAD} && echo > /nowhere/log; {SET}",
    f"{LOAD}; modprobe nf_conntrack_ipv4; {SET}",
    f"modprobe nf_conntrack && {LOAD} && {SET}",
    f"modprobe -C /dev/null ip_vs && {SET}",
    f"modprobe ip_vs --ignore-inst && {SET}",
    f"modprobe --no-such-option -i ip_vs && {SET}",
    f"sh -ec '{LOAD}; false; {SET}'",
    f"sh -ec '{LOAD}; false && true; {SET}'",
    f"sh -ec '{LOAD}; {{ false; true; }} || true; {SET}'",
    f"set -e; {LOAD}; ( false; true ); {SET}",
    f"{LOAD}; ( exec /bin/true ); {SET}",
    f"{LOAD}; exec /bin/true; {SET}",
    f"{LOAD} && [ -x /sbin/sysctl ] && {SET}",
    f"{LOAD} && [ -x /usr/bin/sysctl ] && {SET}",
    f"{LOAD} && command -v sysctl && {SET}",
    f"{LOAD} && sleep 0.1 && {SET}",
    f"{LOAD} && echo 1 > /proc/sys/net/ipv4/vs/conntrack && {SET}",
    f"LC_ALL=C {LOAD} && {SET}",
    f"logger x & {LOAD} && {SET}",
)
#: Hooks that are left open: what they do cannot be told from files.
OPEN = (
    f"{LOAD} & {SET}",
    f"{LOAD} &> /dev/null && {SET}",
    f"{LOAD} | {SET}",
    f"{LOAD} && modprobe nf_conntrack_ipv4 && {SET}",
    f"{LOAD} && touch /nowhere/x && {SET}",
    f"{LOAD} && cat /nowhere/x && {SET}",
    f"{LOAD} && mkdir /etc && {SET}",
    f"sh -ec '{LOAD}; grep x /nowhere/x; {SET}'",
    f"sysctl() {{ :; }}; {LOAD}; sysctl -p",
    f"PATH=/nowhere; {LOAD}; sysctl -p",
)

_LOOP = f"""
printf '{OFF.strip()}\\n' > {CONF}
while IFS= read -r line; do
  printf '%s\\n' "$line" > {HOOK}
  modprobe -qr ip_vs
  modprobe ip_vs >/dev/null 2>&1
  sleep 0.3
  cat {VALUE} 2>/dev/null || echo none
done
"""


@pytest.fixture(scope="module")
def guest(_qemu_works: None) -> Iterator[Guest]:
    made = lab_fleet.boot("6.1", lab_fleet.own_folder() / "hooks", name="hooks")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def programs(guest: Guest) -> Programs:
    """What the probe tells of all these hooks' words on that guest."""
    guest.put(HOOK, "".join(f"install ip_vs {hook}\n" for hook in (*KNOWN, *OPEN)))
    return collected(guest).programs


@pytest.fixture(scope="module")
def left(guest: Guest) -> dict[str, int | None]:
    """The value that each hook leaves after a reload; None where ip_vs is not loaded."""
    lines = "".join(f"install ip_vs {hook}\n" for hook in (*KNOWN, *OPEN))
    done = guest.ssh(f"sh -c {shlex.quote(_LOOP)}", stdin=lines.encode(), timeout=300)
    values = [None if word == "none" else int(word) for word in done.stdout.split()]
    return dict(zip((*KNOWN, *OPEN), values, strict=True))


@pytest.mark.parametrize("hook", KNOWN)
def test_the_model_knows_what_a_hook_leaves(
    hook: str, programs: Programs, left: dict[str, int | None]
) -> None:
    files = {CONF: OFF, HOOK: f"install ip_vs {hook}\n"}
    found = after_reload(config(files, programs=programs, loaders=LOADERS), off)
    assert not found.doubt
    assert found.value == left[hook]


@pytest.mark.parametrize("hook", OPEN)
def test_what_cannot_be_told_from_files_is_left_open(
    hook: str, programs: Programs, left: dict[str, int | None]
) -> None:
    files = {CONF: OFF, HOOK: f"install ip_vs {hook}\n"}
    found = after_reload(config(files, programs=programs, loaders=LOADERS), off)
    assert found.holds(off) is None, left[hook]


def test_the_kernel_s_helper_and_shell_are_told(programs: Programs) -> None:
    assert (programs.helper, programs.shell) == ("/sbin/modprobe", "dash")


CONTAINER = """
mkdir -p /srv/c && mountpoint -q /srv/c/usr || {
  mkdir -p /srv/c/usr /srv/c/etc /srv/c/proc /srv/c/sys
  for name in bin sbin lib lib64; do ln -sfn usr/$name /srv/c/$name; done
  mount --bind /usr /srv/c/usr && mount -t proc proc /srv/c/proc && mount -t sysfs sys /srv/c/sys
}
"""


def test_a_load_from_a_container_runs_no_hook_unless_the_host_loaded_early(
    guest: Guest, programs: Programs
) -> None:
    """The way for Kubernetes nodes: early loading, a line in sysctl.d, and the hook for reloads."""
    drop_in, early = "/etc/sysctl.d/90-ipvs.conf", "/etc/modules-load.d/ipvs.conf"
    hook = RECIPE.replace("-p", f"-p {drop_in}")
    guest.put(HOOK, hook)
    guest.put(drop_in, OFF)
    from_container = f"chroot /srv/c /sbin/modprobe ip_vs && cat {VALUE}"
    unloaded = f"{CONTAINER} modprobe -r ip_vs; {from_container}"
    assert guest.ssh(unloaded).stdout.split() == ["1"]

    guest.put(early, "ip_vs\n")
    boots = "systemctl restart systemd-modules-load systemd-sysctl"
    guest.ssh(f"modprobe -r ip_vs; {boots}")
    assert guest.ssh(from_container).stdout.split() == ["0"]

    seen = replace(programs, module_loaders={"kube-proxy": True})
    files = {drop_in: OFF, HOOK: hook}
    for more, holds in (({}, None), ({early: "ip_vs\n"}, True)):
        node = config(files | more, programs=seen, module="loaded")
        assert after_boot(node, off).holds(off) is holds
        assert after_reload(node, off).holds(off) is True
