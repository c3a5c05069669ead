"""Runs the probe here, in every shell there is, on this machine or on a made-up file tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from ipvs_audit.probe import framing, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ipvs_audit.snapshot import Section

#: Every shell of this machine that the probe promises to run in.
SHELLS = {
    name: argv
    for name, argv in {
        "dash": ["dash"],
        "bash": ["bash"],
        "bash --posix": ["bash", "--posix"],
        "busybox": ["busybox", "sh"],
        "sh": ["sh"],
    }.items()
    if shutil.which(argv[0])
}

#: Every awk of this machine.
AWKS = {
    name: [path, *argv[1:]]
    for name, argv in {
        "mawk": ["mawk"],
        "gawk": ["gawk"],
        "original-awk": ["original-awk"],
        "busybox": ["busybox", "awk"],
        "awk": ["awk"],
    }.items()
    if (path := shutil.which(argv[0]))
}

#: The ways a transport may hand the script over.
WAYS = ("stdin, whole", "stdin, as it comes", "argument")

_SYSTEM = re.compile(
    rb"(?<![\w.}*])/(etc|run|usr/local|usr/lib|lib|boot|efi|var/lib(?=/cloud)"
    rb"|var/spool/cron|opt|srv|root(?=/| /home)|home|sys/kernel/livepatch)(?=[/ ;\"])"
)

#: As long as the key itself, so that frames keep their lengths.
_STAND_IN = b"ip_early_demux"
_STAND_INS = {
    b"/proc/sys/net/ipv4/vs": b"/proc/sys/net/ipv4",
    b"run_estimation": _STAND_IN,
    b"/sys/module/ip_vs /proc/net/ip_vs ": b"/proc/net/dev ",
}


def command(shell: Sequence[str], way: str, text: bytes) -> tuple[list[str], bytes]:
    """The command line and the standard input."""
    if way == "stdin, whole":
        return [*shell, "-c", 'eval "$(cat)"'], text
    if way == "stdin, as it comes":
        return [*shell, "-s"], text
    return [*shell, "-c", text.decode()], b""


def run(
    shell: Sequence[str] = ("sh",),
    *,
    way: str = WAYS[0],
    root: Path | None = None,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    first: Path | None = None,
    only: Path | None = None,
    instead: Mapping[str, str] | None = None,
    loaded: bool = False,
    meanwhile: str = "",
) -> dict[str, Section]:
    """The sections that the probe brings.

    Args:
        shell: what runs it.
        way: one of WAYS.
        root: look for system files below this folder (of /proc and /sys, the real ones).
        before: what to put before the command, e.g. `unshare -n`.
        environment: variables beside the usual ones.
        first: a folder whose programs go before the system's.
        only: a folder whose programs are the only ones.
        instead: text of the script -> what stands in its place.
        loaded: as if ip_vs were loaded: another key that starts at 1 in each network namespace
            stands in for run_estimation.
        meanwhile: a command that the script runs when it has made its census.
    """
    nonce = script.new_nonce()
    text = script.render(nonce)
    if root is not None:
        text = below(root, text)
    if first is not None:
        text = text.replace(b"\nPATH=", b"\nPATH=" + os.fsencode(first) + b":")
    if only is not None:
        text = re.sub(rb"\nPATH=.*\n", b"\nPATH=" + os.fsencode(only) + b"\n", text)
    for old, new in (instead or {}).items():
        assert old.encode() in text, old
        text = text.replace(old.encode(), new.encode())
    if loaded:
        for key, other in _STAND_INS.items():
            text = text.replace(key, other)
    if meanwhile:
        text = text.replace(b"\nfind_namespaces\n", b"\nfind_namespaces\n%b\n" % meanwhile.encode())
    argv, stdin = command(shell, way, text)
    ran = subprocess.run(
        [*before, *argv],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **(environment or {})},
    )
    out = ran.stdout.replace(_STAND_IN, b"run_estimation") if loaded else ran.stdout
    return framing.parse(out, nonce, stderr=ran.stderr)


def below(root: Path, text: bytes) -> bytes:
    """A script that looks for the system's files below a folder."""
    return _SYSTEM.sub(os.fsencode(root) + rb"/\1", text)


def part(name: str) -> str:
    """The text of a shell variable of the script, such as `sample_awk`."""
    whole = script.render("0" * 32).decode()
    found = re.search(rf"^{name}='([^']*)'$", whole, re.MULTILINE)
    assert found, name
    return found[1]
