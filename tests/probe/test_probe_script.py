import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from probe_runs import AWKS, SHELLS, part
from together import THREADS, Together, fresh_copy

from ipvs_audit.probe import script
from ipvs_audit.probe.script import PARTS, digest, new_nonce, render

FOLDER = files("ipvs_audit.probe")


def test_nonces_differ() -> None:
    assert len({new_nonce() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "nonce", ["", "x" * 32, "0" * 31, "0" * 33, "0" * 32 + "\n", "'; reboot;'"]
)
def test_a_nonce_that_is_none_is_refused(nonce: str) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        render(nonce)


def test_too_short_a_span_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 5 s"):
        render("0" * 32, span=4)


def test_everything_is_filled_in() -> None:
    text = render("a" * 32, span=7, every_namespace=True).decode()
    assert not re.search(r"@[A-Z]+@", text)
    assert "nonce='" + "a" * 32 in text
    assert "span='710'" in text
    assert "every='1'" in text


def test_the_digest_is_of_the_probe_not_of_one_run() -> None:
    assert re.fullmatch("[0-9a-f]{12}", digest())
    render(new_nonce(), span=9)
    assert digest() == digest()


def test_hosts_that_begin_together_have_it_put_together_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh, threads = fresh_copy(script), Together()
    monkeypatch.setattr(fresh, "strip_comments", threads.counted(fresh.strip_comments))
    assert threads.ask(lambda: fresh.render("0" * 32)) == [render("0" * 32)] * THREADS
    assert threads.calls == 1


def test_it_is_small_enough_for_a_command_line() -> None:
    # MAX_ARG_STRLEN is 128 KiB; one round trip of a TCP window carries some 14 KiB.
    assert len(render("0" * 32)) < 76 * 1024


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_a_script_cut_anywhere_runs_nothing(shell: list[str], tmp_path: Path) -> None:
    text = render("0" * 32)
    end = text.index(b"\nmain() {")
    for cut in [*range(0, end, 997), *range(end, len(text) - len(b"main </dev/null\n"), 101)]:
        ran = subprocess.run([*shell, "-s"], input=text[:cut], capture_output=True, check=False)
        assert ran.stdout == b"", cut
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_every_shell_takes_its_syntax(shell: list[str]) -> None:
    ran = subprocess.run([*shell, "-n"], input=render("0" * 32), capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("name", ["census_awk", "inside_awk", "sample_awk", "files_awk"])
@pytest.mark.parametrize("awk", AWKS.values(), ids=AWKS)
def test_every_awk_takes_its_programs(awk: list[str], name: str) -> None:
    functions = part("mounts_awk" if name == "census_awk" else "shown_awk")
    ran = subprocess.run(
        [*awk, functions + part(name)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    text = {name: (FOLDER / name).read_text("utf-8") for name in ("probe.sh", *PARTS)}
    whole = tmp_path / "probe.sh"
    whole.write_text(text["probe.sh"].replace("# @PARTS@", "\n".join(text[one] for one in PARTS)))
    ran = subprocess.run(
        [shellcheck, "-s", "sh", whole], capture_output=True, text=True, check=False
    )
    assert ran.stdout == ""
