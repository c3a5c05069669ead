from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from probe_runs import SHELLS

from ipvs_audit.latency.estimator_script import render
from ipvs_audit.model.limits import ESTIMATOR_TRACE_EVENTS
from ipvs_audit.probe import framing
from ipvs_audit.snapshot import GarbledEvidenceError, Section
from ipvs_audit.snapshot.estimator_runs import EstimatorRuns, parse, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

NONCE = "0123456789abcdef" * 2
FOLDER = files("ipvs_audit.latency")

# The first run had begun before anybody looked; the last had not ended when nobody did any more.
TIMER = """\
kind=timer
seconds=7.12
event=000 642.500000 end
event=000 644.785184 run
event=001 644.800000 run
event=001 644.801500 end
event=000 645.103045 end
event=000 647.282656 run
kprobes=1
ftrace=1
overrun=0
missed=0
end
"""


def section(output: str) -> Section:
    return Section("latency.trace", "", output, None, 12.5)


def test_a_run_lasts_from_its_beginning_to_its_end_on_the_same_cpu() -> None:
    seen = parse(section(TIMER))
    assert (seen.kind, seen.seconds, seen.refused) == ("timer", 7.12, "")
    assert seen.runs == pytest.approx([0.0015, 0.317861])
    assert seen.holds == pytest.approx([0.0015, 0.317861])
    assert (seen.fewer, seen.doubtful, seen.kprobes, seen.ftrace) == (False, False, "1", "1")


def test_timers_of_several_namespaces_one_after_the_other_hold_a_cpu_together() -> None:
    events = [
        *("000 1.000000 run", "000 1.010000 end"),
        *("001 1.010100 run", "001 1.020000 end"),  # another CPU meanwhile
        *("000 1.010200 run", "000 1.030000 end"),
        *("000 1.032000 run", "000 1.033000 end"),  # somebody else had the CPU in between
    ]
    seen = parse(
        section("kind=timer\nseconds=7\n" + "".join(f"event={e}\n" for e in events) + "end\n")
    )
    assert seen.runs == pytest.approx([0.01, 0.0099, 0.0198, 0.001])
    assert seen.holds == pytest.approx([0.03, 0.0099, 0.001])


def test_a_beginning_without_an_end_is_no_run_with_the_next_ones_end() -> None:
    events = "event=000 1.000000 run\nevent=000 3.000000 run\nevent=000 3.000020 end\n"
    seen = parse(section(f"kind=timer\nseconds=7\n{events}missed=1\nend\n"))
    assert seen.runs == pytest.approx([0.00002])
    assert seen.doubtful


def test_what_was_overwritten_or_cut_off_is_said() -> None:
    assert parse(section(TIMER.replace("overrun=0", "overrun=3"))).fewer
    pair = "event=000 1.000000 run\nevent=000 1.000010 end\n"
    whole, more = (
        f"kind=timer\nseconds=7\n{pair * count}end\n"
        for count in (ESTIMATOR_TRACE_EVENTS // 2, ESTIMATOR_TRACE_EVENTS)
    )
    assert not parse(section(whole)).fewer
    seen = parse(section(more))
    assert seen.fewer
    assert len(seen.runs) == ESTIMATOR_TRACE_EVENTS // 2


def test_delayed_work_is_told_like_a_timer() -> None:
    told = TIMER.replace("kind=timer", "kind=work\nsymbol=ip_vs:estimation_work")
    seen, timer = parse(section(told)), parse(section(TIMER))
    assert (seen.kind, seen.symbol) == ("work", "ip_vs:estimation_work")
    assert (seen.runs, seen.holds) == (timer.runs, timer.holds)


def test_a_symbol_that_is_none_of_the_estimators_is_garbled() -> None:
    for symbol in ("panic", "ip_vs:estimation_timer; reboot", "estimation_work+4"):
        with pytest.raises(GarbledEvidenceError):
            parse(section(TIMER.replace("kind=timer", f"kind=timer\nsymbol={symbol}")))


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@pytest.mark.parametrize(
    ("kallsyms", "symbol"),
    [
        ("t estimation_timer\t[ip_vs]", "ip_vs:estimation_timer"),
        ("t estimation_timer", "estimation_timer"),
        ("t estimation_timer.isra.0\t[ip_vs]", "ip_vs:estimation_timer.isra.0"),
        ("t estimation_work\t[ip_vs]", "ip_vs:estimation_work"),
        (
            "t estimation_work.cold\t[ip_vs]\n0 t estimation_work.constprop.0\t[ip_vs]",
            "ip_vs:estimation_work.constprop.0",
        ),
        ("t estimation_timer.part.0\t[ip_vs]", ""),
        ("d estimation_timer_work\t[ip_vs]", ""),
        ("t estimation_timer\t[theirs]", ""),
    ],
)
def test_the_function_is_found_by_the_name_that_the_compiler_gave_it(
    shell: list[str], kallsyms: str, symbol: str, tmp_path: Path
) -> None:
    (tmp_path / "kallsyms").write_text(f"0 T _text\n0 {kallsyms}\n0 t ip_vs_out\t[ip_vs]\n")
    (tmp_path / "mounts").write_text("")
    text = render(NONCE).decode().replace("/proc/kallsyms", f"{tmp_path}/kallsyms")
    text = text.replace("/proc/mounts", f"{tmp_path}/mounts").replace("'^ipvs-e:'", "'^none:'")
    ran = subprocess.run([*shell, "-s"], input=text.encode(), capture_output=True, check=False)
    seen = parse(framing.parse(ran.stdout, NONCE)["latency.trace"])
    assert seen.symbol == symbol
    assert seen.refused


def test_threads_are_told_by_the_cpu_time_that_they_took() -> None:
    seen = parse(
        section(
            "kind=threads\nseconds=7\nfirst=71 ipvs-e:0:0 1000000\nfirst=72 ipvs-e:0:1 5\n"
            "last=71 ipvs-e:0:0 4500000\nlast=99 ipvs-e:0:2 7\nend\n"
        )
    )
    # All that a thread has that began meanwhile; of one that ended nobody knows.
    assert seen.runs == pytest.approx([0.0035, 7e-9])
    assert seen.fewer
    assert seen.holds == ()


def test_threads_whose_cpu_time_is_not_kept_are_not_taken_for_idle() -> None:
    lines = "first=71 ipvs-e:0:0 -\nlast=71 ipvs-e:0:0 -\n"
    seen = parse(section(f"kind=threads\nseconds=7\n{lines}end\n"))
    assert (seen.runs, seen.fewer) == ((), True)


def test_a_refusal_says_why_in_one_harmless_line() -> None:
    assert parse(refusal("no\nend\n\x1b[31m")) == EstimatorRuns(
        "none", 0.0, (), refused="no?end??[31m"
    )


def test_what_is_left_and_what_was_removed_is_brought() -> None:
    told = TIMER.removesuffix("end\n") + "left=/a\nleft=/b\nremoved=c\nother=d\nend\n"
    seen = parse(section(told))
    assert (seen.left, seen.removed, seen.other) == (("/a", "/b"), ("c",), ("d",))


@pytest.mark.parametrize(
    "output",
    [
        "",
        TIMER.removesuffix("end\n"),
        TIMER.replace("kind=timer", "kind=magic"),
        TIMER.replace("seconds=7.12", "seconds=soon"),
        TIMER.replace("644.785184 run", "644.7 run"),
        TIMER.replace("644.785184 run", "644.785184 ran"),
        TIMER.replace("kprobes=1", "kprobes=perhaps"),
        TIMER.replace("missed=0", "missed=-1"),
        "kind=threads\nseconds=7\nfirst=71 init 5\nend\n",
    ],
)
def test_anything_else_is_garbled(output: str) -> None:
    with pytest.raises(GarbledEvidenceError):
        parse(section(output))


@pytest.mark.parametrize(("nonce", "seconds"), [("x", 7), (NONCE, 0), (NONCE, 61)])
def test_what_goes_into_the_script_is_checked(nonce: str, seconds: int) -> None:
    with pytest.raises(ValueError, match="is not"):
        render(nonce, seconds=seconds)


def test_everything_is_filled_in() -> None:
    text = render(NONCE, seconds=9).decode()
    assert not re.search(r"@[A-Z]+@", text)
    assert "length='9'" in text


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    whole = tmp_path / "ran.sh"
    script, tidy = (
        (FOLDER / name).read_text("utf-8") for name in ("estimator_runs.sh", "tracefs_cleanup.sh")
    )
    whole.write_text(script.replace("# @CLEANUP@", tidy).replace("@WATCHER@", "'true'"))
    shellcheck = Path(sys.executable).parent / "shellcheck"
    ran = subprocess.run(
        [shellcheck, "-s", "sh", whole], capture_output=True, text=True, check=False
    )
    assert ran.stdout == ""


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_every_shell_takes_its_syntax(shell: list[str]) -> None:
    ran = subprocess.run([*shell, "-n"], input=render(NONCE), capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")


def run(shell: list[str], script: bytes) -> EstimatorRuns:
    said = subprocess.run([*shell, "-s"], input=script, capture_output=True, check=True, timeout=60)
    return parse(framing.parse(said.stdout, NONCE)["latency.trace"])


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_script_answers_with_one_whole_frame_where_there_is_nothing_to_time(
    shell: list[str], tmp_path: Path
) -> None:
    # A kernel list without estimation_timer, and no thread of that name.
    symbols = tmp_path / "kallsyms"
    symbols.write_text("0 T start_kernel\n0 t other_estimation_timer\n0 t estimation_timer.old\n")
    script = render(NONCE, seconds=1).replace(b"/proc/kallsyms", bytes(symbols))
    script = script.replace(b"/proc/[0-9]*/comm", bytes(tmp_path) + b"/comm")
    seen = run(shell, script)
    assert "no estimation_timer" in seen.refused
    assert seen.runs == ()


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_threads_are_found_by_their_name(shell: list[str], tmp_path: Path) -> None:
    for pid, comm in ((71, "ipvs-e:0:0"), (72, "ipvs-e:1:0"), (73, "sshd")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "comm").write_text(f"{comm}\n")
    (tmp_path / "71" / "schedstat").write_text("5000000 1 2\n")
    script = render(NONCE, seconds=1).replace(b"/proc/[0-9]*/comm", bytes(tmp_path) + b"/*/comm")
    seen = run(shell, script.replace(b"${one#/proc/}", b"${one##*/}"))
    assert (seen.kind, seen.runs, seen.fewer) == ("threads", (0.0,), True)
    assert seen.seconds >= 1


# What only a kernel can do, done by a folder: enough to follow the script's way through it.
FAKE = rb"""
mkdir() { command mkdir -p "$1/events/$tag" "$1/per_cpu/cpu0" && {
  : >"$1/tracing_on"; : >"$1/events/$tag/enable"; : >"$1/buffer_size_kb"
  cp "$tracing/trace" "$1/trace"; cp "$tracing/stats" "$1/per_cpu/cpu0/stats"; }; }
id() { printf 0; }
"""
LINES = """\
# tracer: nop
          <idle>-0       [000] .Ns1.   642.500000: ipvs_audit_end: (call_timer_fn+0x27 <- estimation_timer)
CPU:1 [LOST 12 EVENTS]
 a [9] d ..s. 1-365     [000] ..s..   644.785184: ipvs_audit_run: (estimation_timer+0x0/0x1e0 [ip_vs])
           sleep-365     [000] .Ns..   645.103045: ipvs_audit_end: (call_timer_fn+0x27 <- estimation_timer)
           sleep-365     [000] .Ns..   645.103045: other_run: (somewhere)
"""  # noqa: E501


def tracefs(tmp_path: Path, *, seconds: int = 1, stats: str = "") -> bytes:
    """A folder that stands for tracefs, and the script that takes it for that."""
    tracing = tmp_path / "tracing"
    (tracing / "instances").mkdir(parents=True)
    for name, text in {
        "kprobe_events": "p:theirs/mine ip_vs:estimation_timer\n",
        "kprobe_profile": "  ipvs_audit_run  2  0\n  ipvs_audit_end  2  0\n",
        "buffer_size_kb": "7 (expanded: 1408)\n",
        "trace": LINES,
        "stats": stats or "entries: 3\noverrun: 0\ncommit overrun: 0\ndropped events: 0\n",
    }.items():
        (tracing / name).write_text(text)
    (tmp_path / "kallsyms").write_text("0 t estimation_timer\t[ip_vs]\n")
    (tmp_path / "mounts").write_text(f"tracefs {tracing} tracefs rw 0 0\n")
    script = render(NONCE, seconds=seconds).replace(b"main() {", FAKE + b"main() {", 1)
    for name in ("kallsyms", "mounts"):
        script = script.replace(b"/proc/%s" % name.encode(), bytes(tmp_path / name))
    script = script.replace(b'rmdir "', b'rm -r "')
    return script.replace(b"/proc/[0-9]*/comm", bytes(tmp_path) + b"/comm")


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_events_are_told_from_names_that_look_like_them(shell: list[str], tmp_path: Path) -> None:
    seen = run(shell, tracefs(tmp_path))
    assert (seen.kind, seen.refused) == ("timer", "")
    assert seen.runs == pytest.approx([0.317861])
    assert (seen.fewer, seen.doubtful) == (False, False)
    # Here nothing takes the probe events back, and the script has looked.
    assert [one.split()[0] for one in seen.left] == ["probe"]
    assert not list((tmp_path / "tracing/instances").iterdir())
    events = (tmp_path / "tracing/kprobe_events").read_text().splitlines()
    assert events[0] == "p:theirs/mine ip_vs:estimation_timer"
    assert [line[0] for line in events[1:3]] == ["p", "r"]
    # The watcher may remove them as well, where the script itself ends late.
    ours = {line[1:].split()[0] for line in events[1:3]}
    assert {line[1:] for line in events[3:]} == ours
    assert all(line.startswith("-:") for line in events[3:])


@pytest.mark.parametrize(
    ("counter", "told"),
    [
        ("overrun: 4", (True, False)),
        ("commit overrun: 4", (False, True)),
        ("dropped events: 4", (False, True)),
    ],
)
def test_lost_events_are_counted(tmp_path: Path, counter: str, told: tuple[bool, bool]) -> None:
    seen = run(["sh"], tracefs(tmp_path, stats=f"entries: 3\n{counter}\nbytes: 9\n"))
    assert (seen.fewer, seen.doubtful) == told


def instances(tmp_path: Path) -> list[str]:
    return sorted(one.name for one in (tmp_path / "tracing/instances").iterdir())


def started(pid: int | str) -> str:
    """When a process began, as tags have it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_only_what_a_dead_run_left_is_removed(shell: list[str], tmp_path: Path) -> None:
    script, me = tracefs(tmp_path), os.getpid()
    space = re.sub(r"\D", "", str(Path("/proc/self/ns/pid").readlink()))
    dead = f"ipvs_audit_{space}_{me}_1_7"  # this process's id, but not its start
    alive = f"ipvs_audit_{space}_{me}_{started(me)}_7"
    elsewhere = f"ipvs_audit_1_{me}_1_7"
    theirs = ["ipvs_audit_mine", f"x{dead}", f"{dead}x", "audit"]
    for name in (dead, alive, elsewhere, *theirs):
        (tmp_path / "tracing/instances" / name).mkdir()
    seen = run(shell, script)
    # Here nothing takes probe events back, neither its nor our own, and the script has looked.
    assert [one.split()[:2] for one in seen.left] == [["probe", "events"]] * 2
    assert [one.split()[2] for one in seen.left if dead in one] == [dead]
    assert seen.other == (elsewhere,)
    assert instances(tmp_path) == sorted([alive, elsewhere, *theirs])


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@pytest.mark.parametrize("how", ["TERM", "HUP", "KILL", "cut", "orphaned"])
def test_a_trace_that_is_ended_half_way_takes_back_what_it_wrote(
    shell: list[str], how: str, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_bytes(tracefs(tmp_path, seconds=50))
    # A parent of its own, as timeout is on a host.
    parent = subprocess.Popen(
        ["sh", "-c", '"$@" & wait', "-", *shell, script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        until(lambda: instances(tmp_path) != [])
        pid = int(instances(tmp_path)[0].split("_")[3])
        # Until it waits, a script that is killed may have begun no watcher yet.
        assert parent.stdout is not None
        assert parent.stdout.read(1) == b"\n"
        if how == "cut":
            parent.stdout.close()
        elif how == "orphaned":
            parent.kill()
        else:
            os.kill(pid, getattr(signal, f"SIG{how}"))
        until(lambda: instances(tmp_path) == [])
        events = tmp_path / "tracing/kprobe_events"
        until(lambda: events.read_text().count("\n-:ipvs_audit_") >= 2)
        until(lambda: not Path(f"/proc/{pid}").exists() or how == "KILL")
    finally:
        parent.kill()
        parent.wait()


def until(right: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not right():
        assert time.monotonic() < end
        time.sleep(0.05)
