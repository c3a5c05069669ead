"""Explaining file trees and saved runs, as text and as JSON lines."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from configured import OFF, ON, RECIPE, SCENARIOS

from ipvs_audit.cli import explain
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.snapshot import Failure, store

if TYPE_CHECKING:
    from pathlib import Path

RECORDINGS = SCENARIOS.parent / "recordings"
KEY = "net.ipv4.vs.run_estimation"
NOT_THERE = (
    "it cannot be read (No such file or directory); name the root of a file tree, or a saved run"
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A small root with the recipe."""
    put(tmp_path, "etc/sysctl.conf", OFF)
    put(tmp_path, "etc/sysctl.d/90-ipvs.conf", ON)
    put(tmp_path, "etc/modprobe.d/ipvs.conf", RECIPE)
    return tmp_path


def put(root: Path, path: str, text: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_the_winner_is_marked_and_both_answers_are_given(
    image: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert explain.main([str(image)]) == 0
    told = capsys.readouterr().out
    assert "wins  /etc/sysctl.conf:1: net.ipv4.vs.run_estimation = 0 (stores 0)" in told
    assert "/etc/sysctl.conf:1 is read after it" in told
    assert "after a reload: 0: /etc/modprobe.d/ipvs.conf:1 runs '/sbin/sysctl -p'" in told
    assert "after a boot: 0: ip_vs is loaded on demand" in told


def test_one_loader_and_another_key(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(image, "etc/sysctl.d/10-x.conf", "kernel.panic = 7\n")
    assert explain.main([str(image), "--loader", "systemd-sysctl", "--key", "kernel/panic"]) == 0
    told = capsys.readouterr().out
    assert "kernel.panic = 7" in told
    assert "sysctl -p" not in told
    assert "after a reload" not in told


def test_an_older_procps_can_be_asked_for(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(image, "etc/sysctl.conf", "net.ipv4.*.run_estimation = 0\n")
    explain.main([str(image), "--loader", "sysctl-p", "--procps", "3.3.17"])
    assert "does not support patterns" in " ".join(capsys.readouterr().out.split())


def test_a_path_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain.main([str(tmp_path / "none")]) == 4
    told = capsys.readouterr().err
    assert told == f"ipvs-audit explain: {tmp_path / 'none'}: {NOT_THERE}\n"


def test_what_holds_and_why_is_the_first_sentence(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(image, "etc/modprobe.d/ipvs.conf", "")
    assert explain.main([str(image)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    why = "no hook runs when ip_vs is loaded, so the value is the kernel's default, 1."
    assert told.startswith(f"{KEY} does not stay 0: after a reload of ip_vs, {why} ")


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_wider_than_the_terminal(
    width: int,
    image: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    put(image, "usr/lib/sysctl.d/50-a-package-with-a-rather-long-name.conf", ON)
    assert explain.main([str(image)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if line != line.rstrip()]


def test_the_winner_is_coloured_on_a_terminal_and_not_where_no_color_says_so(
    image: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    explain.main([str(image)])
    assert "\x1b[1;32m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    explain.main([str(image)])
    assert "32m" not in capsys.readouterr().out


def test_json_is_one_list_of_what_jsonl_has_by_line(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(image), str(tmp_path / "none")]
    assert explain.main([*paths, "--format", "json"]) == ExitCode.USAGE
    whole = json.loads(capsys.readouterr().out)
    explain.main([*paths, "--format", "jsonl"])
    assert whole == lines(capsys)
    assert [one["path"] for one in whole] == paths


def test_what_a_tree_holds_does_nothing_to_the_terminal(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(image, "etc/sysctl.conf", "net.ipv4.vs.run_estimation = 0 # \x1b]0;owned\x07\n")
    assert explain.main([str(image)]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "owned" in told


def test_a_host_that_was_not_collected_hides_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved.jsonl.gz"
    gone = Failure("gone", "unreachable", "gone: refused", "", "")
    with store.Writer(saved) as writer:
        for one in (gone, *store.read(RECORDINGS / "compliant.jsonl")):
            writer.write(one)
    assert explain.main([str(saved)]) == ExitCode.USAGE
    told = capsys.readouterr()
    assert "gone: it was not collected: gone: refused" in told.err
    assert "wins" in told.out
    assert explain.main([str(saved), "--format", "jsonl"]) == ExitCode.USAGE
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {
        "path": str(saved), "host": "gone", "error": "it was not collected: gone: refused"
    }  # fmt: skip
    assert (second["host"], second["verdicts"]) == ("compliant", {"EST-2": "pass", "EST-3": "pass"})


def test_names_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    directory = tmp_path / "etc/sysctl.d"
    directory.mkdir(parents=True)
    (directory / os.fsdecode(b"\xff\xfe.conf")).write_bytes(b"\xff\x00 = \x80\n")
    assert explain.main([str(tmp_path)]) == 0
    assert explain.main([str(tmp_path), "--format", "jsonl"]) == 0


@pytest.mark.parametrize(
    "name", ["recipe.pass", "hook-script.inconclusive", "hook-calls-itself.fail"]
)
def test_scenario_folders_can_be_explained(name: str) -> None:
    assert explain.main([str(SCENARIOS / name)]) == 0


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_jsonl_has_a_line_for_each_path_with_all_facts(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = tmp_path / "none"
    assert explain.main([str(none), str(image), "--format", "jsonl"]) == ExitCode.USAGE
    missing, found = lines(capsys)
    assert missing == {"path": str(none), "error": NOT_THERE}
    assert found["assumed"][1:] == [
        "the kernel loads modules through /sbin/modprobe",
        "nothing else writes the key later: no unit, timer, cron, rc.local or the like is searched",
        "systemd's own units are as shipped",
    ]
    assert found == {
        "path": str(image),
        "summary": f"{KEY} stays 0 after a reload of ip_vs and a boot: {found['boot']['because']}.",
        "loaders": [
            {"name": "sysctl -p", "value": 0, "doubt": ""},
            {"name": "sysctl --system", "value": 0, "doubt": ""},
            {"name": "systemd-sysctl", "value": 1, "doubt": ""},
        ],
        "hook": {
            "where": "/etc/modprobe.d/ipvs.conf:1",
            "command": "/sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p",
        },
        "reload": found["reload"],
        "boot": found["boot"],
        "verdicts": {"EST-2": "fail", "EST-3": "pass"},
        "ignored": [],
        "answers": [],
        "assumed": found["assumed"],
    }
    for predicted in (found["reload"], found["boot"]):
        assert (predicted["value"], predicted["holds"], predicted["doubt"]) == (0, True, "")
        assert "runs '/sbin/sysctl -p', which sets 0 (/etc/sysctl.conf:1)" in predicted["because"]


def test_jsonl_tells_a_doubt_and_no_value(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(image, "etc/modprobe.d/ipvs.conf", "install ip_vs /opt/load-ip-vs\n")
    assert explain.main([str(image), "--format", "jsonl"]) == ExitCode.OK
    (found,) = lines(capsys)
    assert (found["reload"]["value"], found["reload"]["holds"]) == (None, None)
    assert "/opt/load-ip-vs" in found["reload"]["doubt"]
    assert found["verdicts"]["EST-3"] == "inconclusive"


def test_a_file_that_no_loader_reads_is_told(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(image, "etc/modeprobd.d/ipvs.conf", RECIPE)
    assert explain.main([str(image)]) == ExitCode.OK
    note = "ignored: /etc/modeprobd.d/ipvs.conf: no program reads /etc/modeprobd.d"
    assert note in capsys.readouterr().out


def test_a_key_that_holds_an_integer_keeps_no_text(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(image, "etc/sysctl.conf", "kernel.panic = 7\nkernel.panic = seven\n")
    asked = [str(image), "--format", "jsonl", "--key", "kernel.panic", "--loader", "sysctl-p"]
    explain.main(asked)
    explain.main([*asked, "--integer"])
    text, number = lines(capsys)
    assert (text["loaders"][0]["value"], number["loaders"][0]["value"]) == ("seven", 7)
    assert text["reload"] is None
    assert text["boot"]["holds"] is None
    assert text["verdicts"] == {"EST-2": None, "EST-3": None}


def test_versions_with_a_release_are_read_and_shown(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(image, "usr/local/lib/modprobe.d/z.conf", "softdep ip_vs pre: nf_conntrack\n")
    versions = ["--procps", "3.3.15-8.el8", "--systemd", "239-82.el8", "--kmod", "25-20.el8"]
    assert explain.main([str(image), *versions]) == ExitCode.OK
    told = capsys.readouterr().out
    assert "sysctl --system (3.3.15-8.el8)" in told
    assert "systemd-sysctl (239-82.el8)" in told
    assert "EST-3: pass" in told  # kmod 25 does not read /usr/local/lib
    explain.main([str(image), "--kmod", "34"])
    assert "EST-3: fail" in capsys.readouterr().out


def test_a_program_that_is_asked_for_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --procps a tree of busybox is read as procps would read it: nothing asked is dropped."""
    put(tmp_path, "bin/busybox", "")
    for name in ("sysctl", "modprobe"):
        (tmp_path / "sbin").mkdir(exist_ok=True)
        (tmp_path / "sbin" / name).symlink_to("/bin/busybox")
    put(tmp_path, "etc/sysctl.conf", OFF)
    put(tmp_path, "etc/modprobe.d/ipvs.conf", RECIPE)
    explain.main([str(tmp_path), "--format", "jsonl"])
    given = ["--procps", "4.0.4", "--systemd", "252", "--kmod", "30"]
    explain.main([str(tmp_path), "--format", "jsonl", *given])
    without, found = lines(capsys)
    assert [loader["name"] for loader in without["loaders"]] == ["sysctl -p"]
    assert [loader["name"] for loader in found["loaders"]] == [
        "sysctl -p", "sysctl --system", "systemd-sysctl"
    ]  # fmt: skip
    assert (without["hook"], found["verdicts"]["EST-3"]) == (None, "pass")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--procps", "new"),
        ("--procps", ""),
        ("--systemd", "v239"),
        ("--kmod", "25-"),
        ("--kmod", "9" * 5000),
        ("--key", ""),
        ("--key", "net.ipv4.*.x"),
        ("--key", "../../etc/passwd"),
        ("--key", "vm.swappiness=1"),
        ("--loader", "sysctl"),
        ("--format", "yaml"),
    ],
)
def test_a_wrong_value_is_a_usage_error_that_names_the_option(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        explain.main(["/", option, value])
    assert ended.value.code == ExitCode.USAGE
    assert f"argument {option}" in capsys.readouterr().err
