"""What the probe costs a host: CPU seconds, beside ``sh -c true`` over the same connection.

    make bench-probe [NAMESPACES=1000]

CPU is user and system time of the shell that runs the script and of its children. First without a
connection, which tells milliseconds: the whole probe, and without its later parts, which ask the
host's own programs and search for late writers. Then through a real sshd, and as root with that
many network namespaces more, which are made for it and go with it. Where the kernel has no ip_vs,
other files stand in for its own, so that each namespace is entered and read as often as with it;
the table says so.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ipvs_audit.probe import framing, script
from ipvs_audit.transport.connect import open_connection
from loopback_fleet import Server, keygen, serve
from timing import Goal, given, goals, note, table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 5
MOUNTS = 300
MOST_SECONDS = 3.0
FINE_ROUNDS = 15
MOST_MS = 20
#: Lines of main: what came to the probe after the goal of 20 ms was set.
LATER = (b"asked", b"late_writers")
_TICK = os.sysconf("SC_CLK_TCK")
_SAMPLED = Path("/proc/net/ip_vs_stats").exists()
_STAND_INS = (
    (b"/proc/sys/net/ipv4/vs", b"/proc/sys/net/ipv4"),
    (b"run_estimation", b"ip_forward"),
    (b"/sys/module/ip_vs /proc/net/ip_vs ", b"/proc/net/dev "),
    (b"/ip_vs_stats", b"/snmp"),
)
_TOLD = b"\nread -r ticks </proc/$$/stat; echo; echo ticks $ticks\n"


@contextlib.contextmanager
def namespaces(count: int, mounts: int = 0) -> Iterator[None]:
    """Keep that many network namespaces, and mount namespaces beside.

    Four of five are held by a process that does nothing, the fifth by a mount that only these mount
    namespaces show.
    """
    mounted = count // 5
    hold = f"""mount -t tmpfs none /run
seq {mounted} | sed 's/^/netns add bench/' | ip -batch - || exit
i=0; while [ $i -lt {count - mounted} ]; do unshare -n sleep 600 & i=$((i+1)); done
i=0; while [ $i -lt {mounts} ]; do unshare -m sleep 600 & i=$((i+1)); done
sleep 5; echo; wait"""
    holder = subprocess.Popen(
        ["unshare", "-m", "--pid", "--fork", "--kill-child", "sh", "-c", hold],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    try:
        if not holder.stdout.readline():
            raise RuntimeError("namespaces cannot be made here; unshare or ip says why above")
        yield
    finally:
        holder.kill()
        holder.wait(10)


def ask(text: bytes, server: Server) -> tuple[float, bytes]:
    """Run a script over a connection of its own: the CPU seconds that it used, and what it said."""
    connection = open_connection(server.target(), server.settings)
    try:
        out = connection.run_script(text + _TOLD, timeout=120, max_output=64 << 20).stdout
    finally:
        connection.close()
    fields = out.rpartition(b"\nticks ")[2].rpartition(b")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK, out


def probe(nonce: str, *, every: bool) -> bytes:
    """The probe; with the counters of every namespace sampled, which costs most, or as usual."""
    text = script.render(nonce, every_namespace=every)
    for one, other in () if _SAMPLED else _STAND_INS:
        text = text.replace(one, other)
    return text


def ask_here(text: bytes) -> float:
    """Run a script without a connection: the CPU milliseconds that it used."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["sh"], input=text, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def parts() -> dict[str, list[float]]:
    """Milliseconds of the whole probe and without its later parts, in turns."""
    whole = script.render(script.new_nonce())
    without = whole
    for part in LATER:
        assert b"\n%b\n" % part in without
        without = without.replace(b"\n%b\n" % part, b"\n")
    texts = {"sh -c true": b"sh -c true\n", "all": whole, "without its later parts": without}
    took: dict[str, list[float]] = {what: [] for what in texts}
    for _ in range(FINE_ROUNDS):
        for what, text in texts.items():
            took[what].append(ask_here(text))
    return took


def measure(server: Server, *, every: bool = False) -> tuple[float, float, int]:
    """Medians for ``sh -c true`` and for the probe, and how many namespaces it found."""
    trues, probes, found = [], [], 0
    for _ in range(ROUNDS):
        trues.append(ask(b"sh -c true\n", server)[0])
        nonce = script.new_nonce()
        took, out = ask(probe(nonce, every=every), server)
        found = len(list(framing.parse(out, nonce)["netns"].lines())) - 1
        probes.append(took)
    return median(trues), median(probes), found


def main(count: int) -> int:
    """Measure; 0 whatever the figures are."""
    fine = parts()
    table(
        f"CPU milliseconds without a connection, {FINE_ROUNDS} runs",
        ["", "lowest", "median"],
        [[what, f"{min(took):.1f}", f"{median(took):.1f}"] for what, took in fine.items()],
    )
    rows = []
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        room.chmod(0o755)
        with serve(room, {"ed25519": keygen(room / "host")}, keygen(room / "user")) as server:
            rows.append(("as it is", *measure(server)))
            if os.geteuid() == 0:
                with namespaces(count, MOUNTS):
                    what = f"with {count} network and {MOUNTS} mount namespaces more"
                    rows.append((f"{what}, every one sampled", *measure(server, every=True)))
                    rows.append((what, *measure(server)))
                if min(found for *_, found in rows[1:]) < count:
                    raise RuntimeError(f"fewer than {count} namespaces could be made here")
            else:
                note("not root: not measured with more namespaces")
    table(
        "CPU seconds on the target"
        + ("" if _SAMPLED else " (no ip_vs here: other files stand in for its own)"),
        ["this machine", "sh -c true", "the probe", "namespaces found"],
        [[what, f"{true:.2f}", f"{probe:.2f}", str(found)] for what, true, probe, found in rows],
    )
    shown = [Goal(f"CPU s, {what}", probe, "<=", MOST_SECONDS) for what, _, probe, _ in rows[1:]]
    before = median(fine["without its later parts"])
    shown.append(Goal("CPU ms, without its later parts", before, "<=", MOST_MS))
    goals("probe", "Probe: goals", shown)
    return 0


if __name__ == "__main__":
    sys.exit(main(given("NAMESPACES", 1000)))
