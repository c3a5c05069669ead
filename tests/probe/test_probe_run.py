"""The probe on this machine: in every shell, as root and not, and what it costs."""

import os
import re
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from probe_runs import SHELLS, WAYS, run

from ipvs_audit.audit.host_facts import facts_of
from ipvs_audit.probe.script import digest, render
from ipvs_audit.snapshot import CollectionInfo, Section, Snapshot

COLLECTED = CollectionInfo(
    "2026-11-23T02:00:00.000Z", "2026-11-23T02:00:06.000Z", "local", "", digest()
)
ROOT = os.getuid() == 0
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")

#: Everything that the script calls.
TOOLS = "awk stat sha256sum nsenter readlink grep date uname sleep id cat xargs sysctl"

needs_root = pytest.mark.skipif(not ROOT, reason="needs root")


def snapshot(sections: dict[str, Section]) -> Snapshot:
    return Snapshot("here", COLLECTED, sections)


def steady(sections: dict[str, Section]) -> dict[str, str]:
    """What must not differ from one shell to the next, a moment later."""
    host = re.sub(r"^(uptime|clock)=.*$", "", sections["host"].output, flags=re.MULTILINE)
    same = ("module", "sysctl", "modprobe", "udev", "modules-load", "keys", "cmdline")
    return {"host": host} | {name: sections[name].output for name in same}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_every_shell_brings_the_same_however_it_is_fed(shell: list[str], way: str) -> None:
    sections = run(shell, way=way)
    assert steady(sections) == steady(run(("sh",)))


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_what_it_says_of_this_machine_is_so(shell: list[str]) -> None:
    clock, uptime = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
    evidence = snapshot(run(shell))
    assert evidence.kernel.release == os.uname().release
    assert evidence.host.arch == os.uname().machine
    assert evidence.host.hostname == os.uname().nodename
    assert evidence.host.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    # date says whole seconds, and /proc/uptime hundredths.
    assert int(clock) <= evidence.host.clock <= time.time()
    assert uptime - 0.01 <= evidence.host.uptime <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert evidence.account.root is ROOT
    assert evidence.account.user.endswith(f"(uid {os.getuid()})")
    assert evidence.host.possible_cpus is not None
    assert evidence.host.possible_cpus >= (os.cpu_count() or 1)
    assert evidence.account.cpu_seconds is not None
    assert evidence.account.cpu_seconds < 5
    assert evidence.account.blind == ()
    assert evidence.loaders.init == Path("/proc/1/comm").read_text().rstrip("\n")
    assert evidence.census.host.inode == Path("/proc/self/ns/net").stat().st_ino
    assert evidence.counters == {} or evidence.module.loaded


@needs_root
@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_an_ordinary_user_gets_what_it_may_and_is_told_the_rest(shell: list[str]) -> None:
    evidence = snapshot(run(shell, before=NOBODY))
    assert not evidence.account.root
    assert evidence.account.user == "nobody (uid 65534)"
    assert not evidence.census.complete
    assert any("may not look" in gap for gap in evidence.census.gaps)
    assert evidence.kernel.release == os.uname().release
    assert evidence.config.files


@pytest.fixture
def namespace() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["unshare", "-n", "sleep", "60"]) as process:
        end = time.monotonic() + 10
        own = Path("/proc/self/ns/net").stat().st_ino
        while Path(f"/proc/{process.pid}/ns/net").stat().st_ino == own:
            assert time.monotonic() < end
        yield process
        process.kill()


@needs_root
@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_a_namespace_with_a_process_is_found_and_named(
    shell: list[str], namespace: subprocess.Popen[bytes]
) -> None:
    inode = Path(f"/proc/{namespace.pid}/ns/net").stat().st_ino
    found = {one.inode: one for one in snapshot(run(shell)).census.others}
    assert found[inode].name == f"pid {namespace.pid} (sleep)"


@needs_root
@pytest.mark.parametrize("name", ["probe-test", "probe test", "probe%stest", "probe\\test"])
def test_a_namespace_without_a_process_is_found_and_named(name: str) -> None:
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        inode = Path(f"/run/netns/{name}").stat().st_ino
        found = {one.inode: one.name for one in snapshot(run()).census.others}
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
    escaped = name.replace("\\", "\\134").replace(" ", "\\040")
    assert found[inode] == f"ip netns {escaped}"


@needs_root
def test_a_thread_in_a_namespace_of_its_own_is_found(tmp_path: Path) -> None:
    program = tmp_path / "thread.py"
    program.write_text(
        "import ctypes, threading, time\n"
        "def leave():\n"
        "    assert ctypes.CDLL(None).unshare(0x40000000) == 0\n"
        "    import os\n"
        "    task = f'/proc/self/task/{threading.get_native_id()}'\n"
        "    print(os.stat(f'{task}/ns/net').st_ino, flush=True)\n"
        "    time.sleep(60)\n"
        "threading.Thread(target=leave).start()\n"
    )
    with subprocess.Popen(["python3", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        inode = int(process.stdout.readline())
        names = {one.inode: one.name for one in snapshot(run()).census.others}
        process.kill()
    assert names[inode].startswith(f"pid {process.pid} (")


@needs_root
def test_its_own_namespace_is_the_one_that_it_runs_in() -> None:
    evidence = snapshot(run(before=("unshare", "-n")))
    assert evidence.census.host.inode != Path("/proc/self/ns/net").stat().st_ino
    assert Path("/proc/self/ns/net").stat().st_ino in {one.inode for one in evidence.census.others}


@needs_root
def test_inside_a_pid_namespace_the_census_is_not_complete() -> None:
    evidence = snapshot(run(before=("unshare", "-pf", "--mount-proc")))
    assert any("inside a container" in gap for gap in evidence.census.gaps)
    assert "the files that it read need not be those that the host boots with" in (
        evidence.loaders.other_root
    )
    assert facts_of(evidence)["audited"].startswith("a container, not its host: ")


def test_outside_of_any_container_the_report_does_not_speak_of_one() -> None:
    if "4026531836" not in str(Path("/proc/self/ns/pid").readlink()):
        pytest.skip("this is a container")
    evidence = snapshot(run())
    assert not evidence.census.container
    assert "audited" not in facts_of(evidence)


@needs_root
@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_processes_hidden_from_root_are_a_gap_and_tear_no_line_apart(
    shell: list[str], tmp_path: Path
) -> None:
    if shell[0] == "busybox":
        pytest.skip("its tools are its own")
    (tmp_path / "stat").write_text(
        f'#!/bin/sh\n{shutil.which("stat")} "$@"\n'
        "yes \"stat: cannot statx '/proc/7/task/7/ns/net': Permission denied\" | head -2000 >&2\n"
    )
    (tmp_path / "stat").chmod(0o755)
    with subprocess.Popen(["unshare", "-n", "sleep", "60"]) as process:
        evidence = snapshot(run(shell, first=tmp_path))
        inode = Path(f"/proc/{process.pid}/ns/net").stat().st_ino
        process.kill()
    assert any("do not show their namespace even to root" in gap for gap in evidence.census.gaps)
    assert inode in {one.inode for one in evidence.census.others}


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@pytest.mark.parametrize("missing", ["awk", "stat", "sha256sum", "nsenter", "readlink", "grep"])
def test_a_missing_tool_is_said_and_never_a_pass(
    shell: list[str], missing: str, tmp_path: Path
) -> None:
    if shell[0] == "busybox":
        pytest.skip("its tools are its own")
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS.split():
        if tool != missing and (path := shutil.which(tool)):
            (folder / tool).symlink_to(path)
    evidence = snapshot(run(shell, only=folder))
    assert evidence.kernel.release == os.uname().release
    assert missing in ("nsenter", "readlink") or any(
        missing in text for text in evidence.account.blind
    )
    if missing in ("awk", "stat"):
        assert not evidence.census.complete
        assert evidence.census.host.services is None
    if missing == "awk":
        assert evidence.config.unreadable
    if missing == "sha256sum":
        assert {file.sha256 for file in evidence.config.files.values()} == {""}


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to count")
# Some more than on a Debian 12 with little on it: what a machine has may need a look more.
@pytest.mark.parametrize(("shell", "most"), [("dash", 48), ("bash", 54), ("busybox", 48)])
def test_it_forks_a_bounded_number_of_times(shell: str, most: int, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=fork,vfork,clone,clone3"
    argv = ["strace", "-f", "-qq", "-e", calls, "-o", str(trace), *SHELLS[shell]]
    ran = subprocess.run(
        [*argv, "-c", 'eval "$(cat)"'], input=render("0" * 32), capture_output=True, check=False
    )
    if b"Operation not permitted" in ran.stderr:
        pytest.skip("may not trace here")
    assert 5 < len(re.findall(r" = [0-9]+$", trace.read_text(), re.MULTILINE)) <= most


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to see")
def test_it_opens_nothing_for_writing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=open,openat,creat,mkdir,mkdirat,unlink,unlinkat,rename,renameat2,chmod,mount"
    argv = ["strace", "-f", "-qq", "-e", calls, "-o", str(trace), "bash", "-c", 'eval "$(cat)"']
    ran = subprocess.run(argv, input=render("0" * 32), capture_output=True, check=False)
    if b"Operation not permitted" in ran.stderr:
        pytest.skip("may not trace here")
    text = trace.read_text()
    assert "openat(" in text
    changed = [
        line for line in text.splitlines()
        if re.search(r"O_WRONLY|O_RDWR|O_CREAT|(mkdir|unlink|rename|chmod|mount)[a-z0-9]*\(", line)
        and '"/dev/null"' not in line and '"/dev/tty"' not in line
    ]  # fmt: skip
    assert changed == []


def test_it_costs_little(record_property: Callable[[str, object], None]) -> None:
    """No more CPU than 400 programs that do nothing.

    247 were seen on a machine with 6,000 files in /opt, which cost a third of it.
    """
    probe, nothing = render("0" * 32), b"for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done\n"
    # One after the other, and the best of several: this machine may be busy.
    pairs = [(cpu_seconds(probe), cpu_seconds(nothing)) for _ in range(8)]
    costs, peers = zip(*pairs, strict=True)
    record_property("probe_cpu_seconds", min(costs))
    assert min(costs) < 40 * min(peers)


def cpu_seconds(text: bytes) -> float:
    """What a script costs, its children with it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["sh", "-c", 'eval "$(cat)"'], input=text, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@needs_root
@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_a_hundred_namespaces_stay_within_64_kib(shell: list[str]) -> None:
    """With the switch read in each: ip_forward stands in for it where there is no ip_vs."""
    text = render("0" * 32)
    for one, other in (
        (b"/proc/sys/net/ipv4/vs", b"/proc/sys/net/ipv4"),
        (b"run_estimation", b"ip_forward"),
        (b"/sys/module/ip_vs /proc/net/ip_vs ", b"/proc/net/dev "),
    ):
        text = text.replace(one, other)
    crowd = [subprocess.Popen(["unshare", "-n", "sleep", "60"]) for _ in range(100)]
    try:
        own = Path("/proc/self/ns/net").stat().st_ino
        for process in crowd:
            while Path(f"/proc/{process.pid}/ns/net").stat().st_ino == own:
                time.sleep(0.01)
        ran = subprocess.run(
            [*shell, "-c", 'eval "$(cat)"'], input=text, capture_output=True, check=True,
            timeout=30,
        )  # fmt: skip
    finally:
        for process in crowd:
            process.kill()
            process.wait()
    assert ran.stdout.count(b" ip_forward=") >= 101
    assert len(ran.stdout) < 64 * 1024
