"""What the probe brings of whole files, in every shell; and what a hostile host would send."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_runs import SHELLS

from ipvs_audit.probe import framing, script
from ipvs_audit.remedy import script_answers
from ipvs_audit.remedy.editable_files import parse_editable_files
from ipvs_audit.remedy.script import percent_b
from ipvs_audit.snapshot import GarbledEvidenceError, Section

SOURCE = Path(script.__file__).parent
_SYSTEM = re.compile(rb"(?:(?<=\$nl)|(?<![\w.}]))/(etc|var/lib)(?=[/ ;\"$\n]|$)")


def section(text: str) -> Section:
    return Section("editable-files", "od", text, None, 1.0)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("etc/sysctl.d", "etc/modprobe.d", "var/lib"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def brought(tree: Path, shell: list[str]) -> Section:
    nonce = script.new_nonce()
    text = script.render(nonce, editable_files=True)
    body, call = text.split(b"editable_files() {\ntext=", 1)
    call, rest = call.split(b"\n}\n", 1)
    call = _SYSTEM.sub(os.fsencode(tree) + rb"/\1", call)
    text = body + b"editable_files() {\ntext=" + call + b"\n}\n" + rest
    ran = subprocess.run(
        [*shell, "-c", 'eval "$(cat)"'], input=text, capture_output=True, check=False, timeout=60
    )
    return framing.parse(ran.stdout, nonce, stderr=ran.stderr)["editable-files"]


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_files_that_may_have_to_change_come_whole(tree: Path, shell: list[str]) -> None:
    conf = tree / "etc/sysctl.conf"
    conf.write_bytes(b"a = 1\r\n\x00\xff net.ipv4.vs.run_estimation = 1")
    conf.chmod(0o640)
    (tree / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    (tree / "etc/sysctl.d/10-other.conf").write_text("kernel.x = 1\n")
    (tree / "etc/sysctl.d/20-glob.conf").write_text("net.ipv4.vs.* = 1\n")
    (tree / "etc/modprobe.d/mine.conf").write_text("install ip-vs /bin/true\n")
    (tree / "etc/modprobe.d/big.conf").write_text("# ip_vs\n" * 10_000)
    found = parse_editable_files(brought(tree, shell))
    files = {path.removeprefix(str(tree)): file for path, file in found.files.items()}
    assert set(files) == {
        "/etc/sysctl.conf",
        "/etc/sysctl.d/99-sysctl.conf",
        "/etc/sysctl.d/20-glob.conf",
        "/etc/modprobe.d/mine.conf",
        "/etc/modprobe.d/big.conf",
    }
    link = files["/etc/sysctl.d/99-sysctl.conf"]
    assert (link.real, link.mode, link.content) == (str(conf), 0o640, conf.read_bytes())
    assert files["/etc/modprobe.d/big.conf"].unread == "larger than 64 KiB"
    assert found.directories[str(tree / "etc")].state in ("writable", "denied")


def test_immutable_files_are_said(tree: Path) -> None:
    conf = tree / "etc/sysctl.conf"
    conf.write_text("")
    if subprocess.run(["chattr", "+i", conf], capture_output=True, check=False).returncode:
        pytest.skip("no chattr here")
    try:
        found = parse_editable_files(brought(tree, ["sh"]))
    finally:
        subprocess.run(["chattr", "-i", conf], check=True)
    assert found.files[str(conf)].attributes == ("immutable",)


@pytest.mark.parametrize("flags", ["+i", "+a", "+ia"])
def test_directories_in_which_nothing_can_be_replaced_are_said(tree: Path, flags: str) -> None:
    """With two such flags the first was not seen; append-only ones were changed by half."""
    folder = tree / "etc/sysctl.d"
    if subprocess.run(["chattr", flags, folder], capture_output=True, check=False).returncode:
        pytest.skip("no chattr here")
    try:
        found = parse_editable_files(brought(tree, ["sh"]))
    finally:
        subprocess.run(["chattr", "-ia", folder], check=True)
    assert found.directories[str(folder)].state == "immutable"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own what root may write to")
@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_directories_that_others_write_to_are_said(tree: Path, shell: list[str]) -> None:
    (tree / "etc/modprobe.d").chmod(0o777)
    os.chown(tree / "etc/sysctl.d", 1000, 0)
    found = parse_editable_files(brought(tree, shell))
    states = {
        path.removeprefix(str(tree)): directory.state
        for path, directory in found.directories.items()
    }
    assert states == {
        "/etc": "writable",
        "/etc/sysctl.d": "shared",
        "/etc/modprobe.d": "shared",
        "/var/lib": "writable",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own what root may write to")
@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_who_can_change_where_links_lead_is_said_and_the_file_is_not_read(
    tree: Path, shell: list[str]
) -> None:
    """Whoever owns the link between could have root read, and write to, any file."""
    (tree / "etc/shadow").write_text("secret\n")
    home = tree / "home"
    home.mkdir()
    (home / "hop").symlink_to("../etc/shadow")
    (tree / "etc/sysctl.conf").symlink_to("../home/hop")
    (tree / "etc/sysctl.d").rename(home / "sysctl.d")
    (tree / "etc/sysctl.d").symlink_to("../home/sysctl.d")
    found = parse_editable_files(brought(tree, shell))
    conf = found.files[str(tree / "etc/sysctl.conf")]
    assert (conf.real, conf.content, conf.others) == (str(tree / "etc/shadow"), b"secret\n", "")
    assert found.directories[str(tree / "etc/sysctl.d")].state == "writable"
    os.chown(home, 1000, 0)
    found = parse_editable_files(brought(tree, shell))
    conf = found.files[str(tree / "etc/sysctl.conf")]
    assert (conf.content, conf.others) == (None, str(home))
    folder = found.directories[str(tree / "etc/sysctl.d")]
    assert (folder.state, folder.others) == ("shared", str(home))


@given(st.text(max_size=300))
def test_no_text_crashes_the_parser(text: str) -> None:
    for whole in (text, f"file /etc/x\n{text}\nend"):
        try:
            parse_editable_files(section(whole))
        except GarbledEvidenceError:
            continue


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["file", "real", "stat", "sha256", "hex", "directory", "attribute", "others"]
            ),
            st.text(max_size=40),
        ),
        max_size=8,
    )
)
def test_no_odd_line_crashes_the_parser(lines: list[tuple[str, str]]) -> None:
    text = "\n".join(" ".join(line) for line in lines)
    try:
        parse_editable_files(section(f"{text}\nend"))
    except GarbledEvidenceError:
        return


@given(st.binary(max_size=400))
def test_no_answer_crashes_the_controller(raw: bytes) -> None:
    nonce = "0" * 32
    script_answers.parse(raw, nonce)
    report = script_answers.parse(nonce.encode() + b" step 1 " + raw, nonce)
    assert not report.complete


def test_what_a_host_says_without_the_nonce_is_passed_over() -> None:
    text = b"step 1 written\n" + b"1" * 32 + b" step 1 written\n" + b"0" * 32 + b" end 3\n"
    assert script_answers.parse(text, "0" * 32) == script_answers.ScriptResult(
        (), complete=True, points=3
    )


@given(st.binary(max_size=64))
def test_any_content_stays_within_its_quotes(content: bytes) -> None:
    text = percent_b(content)
    assert "'" not in text
    assert text.isascii()


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    names = (*script.PARTS, *script.EDITABLE_FILES)
    parts = "\n".join((SOURCE / name).read_text("utf-8") for name in names)
    whole = tmp_path / "probe.sh"
    frame = (SOURCE / "probe.sh").read_text("utf-8")
    frame = re.sub(r"^editable_files\(\) \{ :; \}.*$", "", frame, flags=re.MULTILINE)
    whole.write_text(frame.replace("# @PARTS@", parts))
    folder = Path(script_answers.__file__).parent
    shared = (SOURCE / script.EDITABLE_FILES[0], SOURCE / "mount_namespaces.sh")
    paths = (*shared, folder / "apply.sh", folder / "undo.sh")
    parts = "\n".join(path.read_text("utf-8") for path in paths)
    change = tmp_path / "change.sh"
    change.write_text((folder / "change.sh").read_text("utf-8").replace("# @PARTS@", parts))
    ran = subprocess.run(
        [shellcheck, "-s", "sh", whole, change], capture_output=True, text=True, check=False
    )
    assert ran.stdout == ""
