from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ipvs_audit.latency.ran import Ran, parse, render
from ipvs_audit.probe import framing
from ipvs_audit.snapshot import GarbledEvidenceError, Section

NONCE = "0123456789abcdef" * 2

# From a Linux 6.1 guest; the first run had begun before anybody looked.
TIMER = """\
kind=timer
seconds=7
event=          <idle>-0       [000] .Ns1.   642.500000: end: (call_timer_fn+0x27/0x130 <- estimation_timer)
event=           sleep-365     [000] ..s..   644.785184: run: (estimation_timer+0x0/0x1e0 [ip_vs])
event=    kworker/1:0 2-9       [001] ..s..   644.800000: run: (estimation_timer+0x0/0x1e0 [ip_vs])
event=           sleep-365     [000] .Ns..   645.103045: end: (call_timer_fn+0x27/0x130 <- estimation_timer)
event=    kworker/1:0 2-9       [001] .Ns..   644.801500: end: (call_timer_fn+0x27/0x130 <- estimation_timer)
event=          <idle>-0       [000] ..s1.   647.282656: run: (estimation_timer+0x0/0x1e0 [ip_vs])
end
"""  # noqa: E501


def section(output: str) -> Section:
    return Section("latency.trace", "", output, None, 12.5)


def test_a_run_lasts_from_its_beginning_to_its_end_on_the_same_cpu() -> None:
    seen = parse(section(TIMER))
    assert (seen.kind, seen.seconds, seen.refused) == ("timer", 7, "")
    assert seen.runs == pytest.approx([0.317861, 0.0015])


def test_threads_are_told_by_the_cpu_time_that_they_took() -> None:
    seen = parse(
        section(
            "kind=threads\nseconds=7\nfirst=71 ipvs-e:0:0 1000000\nfirst=72 ipvs-e:0:1 5\n"
            "last=71 ipvs-e:0:0 4500000\nlast=99 ipvs-e:0:2 7\nend\n"
        )
    )
    assert seen == Ran("threads", 7, (0.0035,))


def test_a_refusal_says_why() -> None:
    seen = parse(section("kind=none\nseconds=7\nrefused=only root may trace\nend\n"))
    assert seen == Ran("none", 7, (), "only root may trace")


@pytest.mark.parametrize(
    "output",
    [
        "",
        TIMER.removesuffix("end\n"),
        TIMER.replace("kind=timer", "kind=magic"),
        TIMER.replace("seconds=7", "seconds=soon"),
        TIMER.replace("644.785184: run", "644.7: run"),
        TIMER.replace(": run: (", ": ran: ("),
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


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    whole = tmp_path / "ran.sh"
    whole.write_bytes(b"#!/bin/sh\n" + render(NONCE))
    shellcheck = Path(sys.executable).parent / "shellcheck"
    ran = subprocess.run(
        [shellcheck, "-s", "sh", whole], capture_output=True, text=True, check=False
    )
    assert not ran.stdout
    assert ran.returncode == 0


def test_script_answers_with_one_whole_frame_where_there_is_nothing_to_time(
    tmp_path: Path,
) -> None:
    # A kernel list without estimation_timer, and no thread of that name.
    symbols = tmp_path / "kallsyms"
    symbols.write_text("0 T start_kernel\n")
    script = render(NONCE, seconds=1).replace(b"/proc/kallsyms", bytes(symbols))
    script = script.replace(b"/proc/[0-9]*/comm", bytes(tmp_path) + b"/comm")
    said = subprocess.run(["sh"], input=script, capture_output=True, check=True, timeout=30)
    seen = parse(framing.parse(said.stdout, NONCE)["latency.trace"])
    assert "no estimation_timer" in seen.refused
    assert seen.runs == ()
