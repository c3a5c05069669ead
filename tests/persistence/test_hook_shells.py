"""Random hooks, run by this machine's real shells with stand-ins for modprobe and sysctl.

Whatever a shell makes of a command must be among the ends that the model follows; where the model
knows one value, it is that one.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, PROGRAMS, config

from ipvs_audit.persistence.hook.interpreter import run_shell
from ipvs_audit.persistence.hook.state import Command, State
from ipvs_audit.snapshot.programs import AtPath

if TYPE_CHECKING:
    from pathlib import Path

#: What a shell is called with, as modprobe's system(3) would call it by the name of sh.
SHELLS = {
    name: argv
    for name, argv in {
        "dash": ["dash", "-c"],
        "bash": ["bash", "--posix", "-c"],
    }.items()
    if shutil.which(argv[0])
}
LOAD, OFF, ON = (
    "modprobe -i ip_vs",
    *(f"sysctl -w net.ipv4.vs.run_estimation={value}" for value in (0, 1)),
)
SIMPLE = (
    LOAD, LOAD, OFF, OFF, ON, "true", "false", ":", "echo x", "gone", "/nowhere/tool", "grep x y",
    "test -e /nowhere", "exit 0", "exit 1", "exit", "set -e", "set +e", "exec true", "cat /nowhere",
    "command -v sysctl", "command -v gone", "[ -x /nowhere/tool ]", "x=1", "LC_ALL=C true",
    "exec 3>/dev/null", "wait", "umask 022", "modprobe -r ip_vs", "printf x", "command true",
    "unset x", "false && true",
)  # fmt: skip
REDIRECTED = (
    "> /dev/null", "2>&1", ">/nowhere/x", "2>> /nowhere/x", "< /nowhere", "< /dev/null", "> /etc",
    ">/dev/null 2>&1", "2>/dev/null >/nowhere/x", ">&2", "2>&1 >/dev/null", ">&3",
)  # fmt: skip
STAND_IN = """#!/bin/sh
case "$0 $*" in
  *modprobe*-r*) rm -f {key}; exit 0 ;;
  *modprobe*) [ -e {key} ] || echo 1 > {key}; exit 0 ;;
  *=*) [ -e {key} ] || exit 1; echo "${{2##*=}}" > {key} ;;
esac
"""


def simple(draw: random.Random) -> str:
    text = draw.choice(SIMPLE)
    return f"{text} {draw.choice(REDIRECTED)}" if draw.random() < 0.25 else text


def command(draw: random.Random, depth: int = 0) -> str:
    kind = draw.random() + depth * 0.15
    if kind < 0.12:
        return f"{{ {items(draw, depth + 1)}; }}"
    if kind < 0.24:
        return f"( {items(draw, depth + 1)} )"
    if kind < 0.32:
        option = draw.choice(("-c", "-ec", "-e -c"))
        return f"sh {option} '{items(draw, 9)}'"
    if kind < 0.38:
        return f"! {simple(draw)}"
    if kind < 0.44:
        return f"{simple(draw)} | {draw.choice(('cat', 'grep x', 'true', 'false', LOAD, OFF))}"
    return simple(draw)


def items(draw: random.Random, depth: int = 0) -> str:
    first, *rest = (command(draw, depth) for _ in range(draw.randint(1, 4)))
    return "".join((first, *(f"{draw.choice((' && ', ' || ', '; '))}{each}" for each in rest)))


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A search path with stand-ins; `key` is the key's value."""
    (tmp_path / "bin").mkdir()
    for name in ("modprobe", "sysctl"):
        program = tmp_path / "bin" / name
        program.write_text(STAND_IN.format(key=tmp_path / "key"))
        program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("rest", [
    "'", '"', "`", ")", "&&", "||", "|", "&& ;", "; ;", ";; ;", "& ;", "| | true", "; (", "; {",
    "; ( )", "; { }", "; { true }", "; ( true; }", "; fi", "; then true", "; done", "; do", "; }",
    ">", "> ;", ">>", "2> ;", "> | true", "< && true", ">&", "&& ( true", "&amp;&amp; true", "# '",
    "; ! ;", "|&", "|& cat", "; (( 1 ))", "> >(cat)", "; \"'\"", "&&& true", "; )", "&",
])  # fmt: skip
def test_no_shell_runs_a_line_that_the_model_says_it_cannot_read(
    shell: str, rest: str, world: Path
) -> None:
    host = config({CONF: ""}, programs=replace(PROGRAMS, shell=shell))
    text = f"{LOAD} {rest}"
    (end, *_) = run_shell(host, Command(text, "hook"), State())
    ran = subprocess.run(
        [*SHELLS[shell], text],
        env={"PATH": f"{world}/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        cwd=world, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    if end.lacks:
        assert not (world / "key").exists(), ran.stderr
        assert ran.returncode
    elif not end.doubt:
        assert (world / "key").exists(), ran.stderr


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("seed", range(4))
def test_what_a_shell_does_is_among_the_ends(shell: str, seed: int, world: Path) -> None:
    draw = random.Random(seed)  # noqa: S311  # no secrets
    told = {
        "/nowhere/x": AtPath("nowhere"), "/nowhere": AtPath("absent"), "/etc": AtPath("directory"),
        "/nowhere/tool": AtPath("nowhere"),
    }  # fmt: skip
    names = PROGRAMS.names | {"gone"}
    programs = replace(PROGRAMS, paths={**PROGRAMS.paths, **told}, names=names, shell=shell)
    host = config({CONF: ""}, programs=programs)
    (world / "bin/sh").symlink_to(shutil.which(shell) or "")
    environment = {"PATH": f"{world}/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    key = world / "key"
    for _ in range(40):
        text = items(draw)
        key.unlink(missing_ok=True)
        ran = subprocess.run(
            [*SHELLS[shell], text],
            env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        value = int(key.read_text()) if key.exists() else None
        ends = run_shell(host, Command(text, "hook"), State())
        if any(end.doubt or end.fault for end in ends):
            continue
        seen = (value, min(ran.returncode, 1))
        assert seen in {(end.value, end.status) for end in ends}, (text, seen, ends)
