"""The census of network namespaces, on this machine: hidden ones, hidden paths, names, limits."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from probe_runs import AWKS, SHELLS, part, run

from ipvs_audit.snapshot.namespaces import parse_census
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipvs_audit.snapshot.namespaces import Census, Netns

KEY = "/proc/sys/net/ipv4/ip_early_demux"
#: Stands in front of each set-up: not busybox's, whose `ip` knows no namespaces.
IP = f"ip={shutil.which('ip')}; mount -t tmpfs none /run && mkdir /run/netns &&"

every_shell = pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="making namespaces needs root")


@contextlib.contextmanager
def holding(setup: str, *before: str) -> Iterator[tuple[int, list[int]]]:
    """A process in a mount namespace of its own: its pid, and the inodes that it printed."""
    text = f"{IP} {setup}\necho\nexec sleep 300"
    with subprocess.Popen(
        [*before, "unshare", "-m", "sh", "-c", text], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = list(iter(process.stdout.readline, "\n"))
        assert "" not in told
        yield process.pid, [int(line) for line in told]
        process.kill()


def add(name: str, value: int = 1) -> str:
    """Shell words that make a namespace as `ip netns` does, set it and print its inode."""
    return (
        f"$ip netns add {name} && nsenter --net=/run/netns/{name} sh -c 'echo {value} >{KEY}' &&"
        f" stat -Lc %i /run/netns/{name}"
    )


def census(
    shell: Sequence[str] = ("sh",), *, setup: str = "", meanwhile: str = "", **instead: str
) -> tuple[Census, dict[int, Netns]]:
    """What the probe finds, run in a mount namespace of its own where there is a set-up."""
    inside = ("unshare", "-m", "sh", "-c", f'{IP} {{ {setup}; }} >&2 && exec "$@"', "-")
    sections = run(
        shell,
        before=inside if setup else (),
        loaded=True,
        meanwhile=f"ip={shutil.which('ip')}\n{meanwhile}" if meanwhile else "",
        instead=instead,
    )
    found = parse_census(sections["netns"])
    return found, {one.inode: one for one in found.others}


@every_shell
def test_a_namespace_that_only_another_mount_namespace_shows_is_read(shell: list[str]) -> None:
    with holding(f"{add('hid', 0)}; {add('late')}") as (pid, inodes):
        _, found = census(shell)
    seen = [(found[inode].name, found[inode].raw) for inode in inodes]
    assert seen == [
        (f"ip netns hid (mount namespace of pid {pid}, sleep)", "0"),
        (f"ip netns late (mount namespace of pid {pid}, sleep)", "1"),
    ]


@every_shell
def test_several_without_a_process_keep_their_names(shell: list[str]) -> None:
    names = ["a", "b", "'c d'", "'per%cent'", "'back\\slash'"]
    many, _ = census(shell, setup=";".join(add(name) for name in names))
    found = {one.name: one.raw for one in many.others if re.match("ip netns [^(]+$", one.name)}
    assert found == {
        "ip netns a": "1",
        "ip netns b": "1",
        "ip netns c\\040d": "1",
        "ip netns per%cent": "1",
        "ip netns back\\134slash": "1",
    }


@every_shell
def test_one_whose_path_another_mount_hides_is_not_gone(shell: list[str]) -> None:
    found, _ = census(shell, setup=f"{add('late')}; mount -t tmpfs none /run/netns")
    (late,) = [one for one in found.others if one.name == "ip netns late"]
    assert (late.raw, late.why_unread) == (None, "unentered")
    assert any("ip netns late" in gap for gap in found.gaps)


@every_shell
def test_a_hidden_path_is_passed_by_where_another_mount_namespace_shows_it(
    shell: list[str],
) -> None:
    aside = (
        "unshare -m sleep 15 </dev/null >/dev/null 2>&1 &"
        " until [ $(stat -Lc %i /proc/$!/ns/mnt) != $(stat -Lc %i /proc/self/ns/mnt) ]; do :; done"
    )
    setup = f"{add('late', 0)}; {aside}; mount -t tmpfs none /run/netns"
    found, _ = census(shell, setup=setup)
    (late,) = [one for one in found.others if one.name == "ip netns late"]
    assert late.raw == "0"


@every_shell
def test_two_at_one_path_are_never_taken_for_each_other(shell: list[str]) -> None:
    """Of two mounts at one place the later one is entered; the other is not what it seems."""
    with holding(f"{add('one', 0)}; {add('two')}; mount --bind /run/netns/one /run/netns/two") as (
        _,
        (one, two),
    ):
        found, by_inode = census(shell)
    assert by_inode[one].raw == "0"
    assert (by_inode[two].raw, by_inode[two].why_unread) == (None, "unentered")
    assert not found.complete


def ended_meanwhile(
    shell: list[str], name: str, *, setup: str, meanwhile: str
) -> tuple[Census, dict[str, tuple[str | None, str]]]:
    """A census while the namespace of that name ends, and the values of the others by name.

    Again where its number was given to a namespace of another test at once: it is that one then.
    """
    for _ in range(5):
        found, _ = census(shell, setup=setup, meanwhile=meanwhile)
        told = {one.name: (one.raw, one.why_unread) for one in found.others}
        if name in told:
            break
    return found, told


@every_shell
def test_a_path_that_leads_elsewhere_by_now_is_not_entered(shell: list[str]) -> None:
    moved = "umount /run/netns/b; mount --bind /run/netns/a /run/netns/b"  # b has ended; a is there
    setup = f"{add('a', 0)}; {add('b')}"
    _, told = ended_meanwhile(shell, "ip netns b", setup=setup, meanwhile=moved)
    assert told["ip netns a"] == ("0", "")
    assert told["ip netns b"] == (None, "gone")


@every_shell
def test_one_that_ended_is_gone_and_no_gap(shell: list[str]) -> None:
    setup = f"{add('a')}; {add('b')}"
    found, told = ended_meanwhile(shell, "ip netns a", setup=setup, meanwhile="$ip netns del a")
    assert told["ip netns a"] == (None, "gone")
    assert told["ip netns b"] == ("1", "")
    assert not any("ip netns a" in gap for gap in found.gaps)


@every_shell
def test_one_whose_process_forked_and_ended_meanwhile_is_found(shell: list[str]) -> None:
    stat = '"$way" "$@" 2>&3'
    with subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 60"], stdout=-1) as one:
        assert one.stdout is not None
        one.stdout.readline()
        inode = Path(f"/proc/{one.pid}/ns/net").stat().st_ino
        # When the names are listed and not yet looked at: a new process comes, the old one goes.
        forks = (
            f"[ ! -e /proc/{one.pid}/ns/net ] || {{ nsenter --net=/proc/{one.pid}/ns/net sleep 9"
            " </dev/null >/dev/null 2>&1 3>&1 &"
            f" until [ /proc/$!/ns/net -ef /proc/{one.pid}/ns/net ]; do :; done;"
            f" kill {one.pid}; sleep 0.2; }}\n"
        )
        _, others = census(shell, **{stat: forks + stat})
        assert others[inode].raw == "1"


@every_shell
def test_one_whose_process_ended_is_read_by_its_mount(shell: list[str]) -> None:
    inside = (
        "nsenter --net=/run/netns/a sleep 15 </dev/null >/dev/null 2>&1 & echo $! >/run/pid;"
        " until [ $(stat -Lc %i /proc/$!/ns/net) = $(stat -Lc %i /run/netns/a) ]; do :; done"
    )
    setup = f"{add('a', 0)}; {inside}"
    found, _ = census(shell, setup=setup, meanwhile="kill $(cat /run/pid); sleep 0.2")
    assert [one.raw for one in found.others if one.name == "ip netns a"] == ["0"]


@every_shell
def test_a_chroot_is_passed_by_for_a_process_that_sees_all(shell: list[str]) -> None:
    """The first process is in a chroot, and shows nothing of what lies beside it."""
    setup = (
        f"{add('hid', 0)}; mkdir /run/jail; mount --rbind /usr /run/jail; exec 3>&1;"
        " (exec chroot /run/jail /bin/sleep 60) 3>&- & sleep 60 3>&- &"
    )
    with holding(setup) as (_, (inode,)):
        found, by_inode = census(shell)
    assert by_inode[inode].raw == "0"
    assert not any("chroot" in gap for gap in found.gaps)


def test_a_mount_namespace_seen_from_a_chroot_only_is_said() -> None:
    jail = "mkdir /run/jail; mount --rbind / /run/jail; echo; exec chroot /run/jail sleep 60"
    with holding(f"{add('hid')}; {jail}") as (pid, (inode,)):
        found, by_inode = census()
    assert f"the mount namespace of pid {pid}, sleep is seen from a chroot only" in " ".join(
        found.hidden
    )
    del by_inode, inode


def test_a_mount_namespace_that_only_a_file_keeps_is_said(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    script = (
        f"mount --bind {tmp_path} {tmp_path} && mount --make-private {tmp_path} && touch {kept} &&"
        f" until unshare --mount={kept} true 2>/dev/null; do sleep 0.1; done"
    )
    with holding(script):
        found, _ = census()
    assert any(f"{kept} has no process to look through" in place for place in found.hidden)


def test_it_enters_a_bounded_number() -> None:
    setup = ";".join(add(name) for name in "abcd")
    found, _ = census(setup=setup, **{"left_to_enter=1000": "left_to_enter=2"})
    assert any("no more than 1000 network namespaces" in gap for gap in found.gaps)
    told = [one.why_unread for one in found.others if one.name.startswith("ip netns")]
    assert told.count("unentered") >= 2


def test_a_proc_of_processes_only_is_no_census() -> None:
    setup = "mount -t proc -o subset=pid none /proc || exit 7"
    with pytest.raises(TransportError):
        run(before=("unshare", "-m", "sh", "-c", f'{setup}; exec "$@"', "-"))


def test_a_proc_that_hides_tasks_is_told_by_their_number() -> None:
    """The kernel says in /proc/loadavg how many tasks there are, whoever looks."""
    found, _ = census(**{"seen=$(($# / 2))": "seen=1"})
    many = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    expected = any(re.match(r"/proc shows 1 of the \d+ tasks", gap) for gap in found.gaps)
    assert expected == (many > 66)


CONTAINER = "1f3c" * 16
SLICE = "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable"
POD = "6f1c2b3a-0d4e-4b5f-8a6b-7c8d9e0f1a2b"


@pytest.mark.parametrize("awk", AWKS.values(), ids=AWKS)
@pytest.mark.parametrize(
    ("cgroup", "name"),
    [
        (f"0::/system.slice/docker-{CONTAINER}.scope", "container 1f3c1f3c1f3c"),
        (
            f"{SLICE}-pod{POD.replace('-', '_')}.slice/cri-containerd-{CONTAINER}.scope",
            f"pod {POD} (container 1f3c1f3c1f3c)",
        ),
        (
            f"4:memory:/kubepods/besteffort/pod{POD}/{CONTAINER}",
            f"pod {POD} (container 1f3c1f3c1f3c)",
        ),
        ("1:name=systemd:/system.slice/keepalived.service", "unit keepalived.service"),
        ("0::/system.slice/system-x.slice/x@1.service/payload", "unit x@1.service"),
        ("0::/user.slice/user-0.slice/session-3.scope", "pid self (awk)"),
        ("0::/services=0 name=q.service", "unit services=0 name=q.service"),
    ],
)
def test_it_is_named_as_people_do(awk: list[str], cgroup: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text(f"{cgroup}\n")
    (tmp_path / "comm").write_text("awk\n")
    program = f'BEGIN {{ print named("7", "{tmp_path}"); exit }}\n'
    ran = subprocess.run(
        [*awk, part("mounts_awk") + program + part("census_awk")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    pid = str(tmp_path).split("/")[2]
    assert ran.stdout.splitlines()[0] == name.replace("pid self", f"pid {pid}")
