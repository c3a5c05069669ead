"""Plans as a playbook and as scripts do to /etc what our own remedy does, to the byte."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from changing import RUN, STAND_IN, Box, running_value, write

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.remedy import script
from ipvs_audit.remedy.options import RemediationOptionError, RemediationOptions
from ipvs_audit.remedy.plan_export import export_plans
from ipvs_audit.remedy.plan_steps import KEY_FILE, Plan, Step

CONF, HOOK = "/etc/sysctl.conf", "/etc/modprobe.d/ipvs.conf"
ODD = "/etc/sysctl.d/{{ 7*7 }} 'q' \"d\" $(touch x).conf"
OLD = b"# caf\xe9 {{ 7*7 }} {% raw %} %s 'q' \"d\" `b` $h\r\nnet.ipv4.vs.run_estimation = 1\r\nlast"
NEW = OLD.replace(b"= 1", b"= 0")
LINE = b"install ip_vs /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p\n"
BOOT = "0" * 8 + "-0000-0000-0000-" + "0" * 12
FILES = (
    write(CONF, OLD, NEW),
    write(ODD, b"x = {{ y }}", b"x = {{ z }}"),
    write(HOOK, None, LINE),
)
OWN = running_value(1, 0, 1, own=True)
ANSIBLE = Path(sys.executable).parent / "ansible-playbook"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a made-up /etc needs root")


def export(form: str, plans: list[Plan], into: Path) -> list[str]:
    boots = {plan.target: BOOT for plan in plans}
    return list(export_plans(form, {plan.target: plan for plan in plans}, boots, into / RUN))  # type: ignore[arg-type]


def made_up(folder: Path) -> Box:
    folder.mkdir()
    box = Box(folder)
    os.chown(box.put(CONF, OLD, 0o600), 12, 34)
    box.put(ODD, b"x = {{ y }}", 0o640)
    box.path("/etc/alternatives").mkdir()
    for name in ("passwd", "group"):
        shutil.copy(f"/etc/{name}", box.path(f"/etc/{name}"))
    return box


def listing(box: Box) -> dict[str, tuple[object, ...]]:
    """All of /etc but for times: type, mode, owner, content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(box.path("/etc").rglob("*")):
        about = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(box.root))] = (
            about.st_mode,
            about.st_uid,
            about.st_gid,
            content,
        )
    return found


def inside(box: Box, *argv: str) -> tuple[int, str, str]:
    """Run a command with that /etc, in a network namespace of its own: end, output and value."""
    etc = box.path("/etc")
    start = (
        f"mount --bind /etc/alternatives {etc}/alternatives; mount --rbind {etc} /etc &&"
        f" mkdir -p {box.root}/lib && mount --bind {box.root}/lib /var/lib || exit;"
        f' {{ "$@"; echo "end $?"; cat {STAND_IN}; }} 2>&1'
    )
    ran = subprocess.run(
        ["unshare", "-mn", "sh", "-c", start, "-", *argv],
        capture_output=True, text=True, check=True, timeout=600,
        env=os.environ | {
            "ANSIBLE_HOME": str(box.root / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(box.root / "remote"),
            "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8",
        },
    )  # fmt: skip
    said, end, value = ran.stdout.rpartition("\nend ")
    code, _, now = value.partition("\n")
    return int(code), said + end, now.strip()


def use_stand_in(path: Path) -> None:
    path.write_text(path.read_text().replace(KEY_FILE, STAND_IN))


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, tuple[object, ...]]:
    """What our own remedy leaves."""
    box = made_up(tmp_path / "remedy")
    nonce = "0" * 32
    remedy = box.root / "remedy.sh"
    remedy.write_bytes(script.render_apply(RUN, FILES, who="ops", host="x", nonce=nonce))
    _, said, _ = inside(box, "sh", str(remedy))
    assert said.count(" written") == len(FILES), said
    return listing(box)


@as_root
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_the_script_leaves_what_the_remedy_leaves(
    tmp_path: Path, expected: dict[str, tuple[object, ...]], shell: str
) -> None:
    box = made_up(tmp_path / "script")
    untouched = listing(box)
    export("shell", [Plan("web1", (*FILES, OWN))], tmp_path)
    made = tmp_path / RUN / "web1.sh"
    assert made.stat().st_mode & 0o7777 == 0o600
    use_stand_in(made)
    code, said, value = inside(box, *shell.split(), str(made), "--check")
    assert (code, value) == (0, "0"), said
    assert listing(box) == untouched
    code, said, value = inside(box, *shell.split(), str(made))
    assert (code, value) == (0, "1"), said
    assert listing(box) == expected
    kept = box.root / "lib/ipvs-audit" / f"plan-{RUN}"
    assert (kept / "1").read_bytes() == OLD
    code, said, _ = inside(box, *shell.split(), str(made))
    assert (code, said.count("already")) == (0, 3), said


@as_root
@pytest.mark.parametrize("changed", [CONF, HOOK, "value"])
def test_the_script_refuses_a_host_that_differs_from_the_plan(tmp_path: Path, changed: str) -> None:
    box = made_up(tmp_path / "script")
    value = OWN
    if changed == "value":
        value = running_value(1, 5, 7, own=True)
    else:
        box.put(changed, b"somebody was faster")
    untouched = listing(box)
    export("shell", [Plan("web1", (*FILES, value))], tmp_path)
    use_stand_in(tmp_path / RUN / "web1.sh")
    code, said, _ = inside(box, "sh", str(tmp_path / RUN / "web1.sh"))
    assert code == 1
    assert "plan again" in said
    assert listing(box) == untouched


@as_root
@pytest.mark.parametrize("odd", ["hard link", "copies"])
def test_the_script_refuses_a_second_name_and_a_place_where_others_write(
    tmp_path: Path, odd: str
) -> None:
    """A link of theirs could lead the copy of a file elsewhere."""
    box = made_up(tmp_path / "script")
    if odd == "copies":
        (box.root / "lib/ipvs-audit").mkdir(parents=True)
        (box.root / "lib/ipvs-audit").chmod(0o777)
    else:
        os.link(box.path(CONF), box.path("/etc/second"))
    untouched = listing(box)
    export("shell", [Plan("web1", FILES)], tmp_path)
    code, said, _ = inside(box, "sh", str(tmp_path / RUN / "web1.sh"))
    assert code == 1
    assert {"hard link": "several hard links", "copies": "ipvs-audit is writable"}[odd] in said
    assert listing(box) == untouched


@as_root
def test_the_script_sets_another_namespace_of_this_boot_only(tmp_path: Path) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c",
         f"echo 0 >{STAND_IN}; stat -Lc %i /proc/self/ns/net; read -r _; cat {STAND_IN}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        steps = (running_value(int(other.stdout.readline()), 0, 1),)
        ended = []
        for name, known in {"old": BOOT, "new": boot}.items():
            list(export_plans("shell", {name: Plan(name, steps)}, {name: known}, tmp_path / name))
            made = tmp_path / name / f"{name}.sh"
            use_stand_in(made)
            ended.append(subprocess.run(["sh", made], check=False).returncode)
        value, _ = other.communicate("\n")
    assert ended == [1, 0]
    assert value == "1\n"


@as_root
@pytest.mark.slow
def test_the_playbook_leaves_what_the_remedy_leaves(
    tmp_path: Path, expected: dict[str, tuple[object, ...]]
) -> None:
    box = made_up(tmp_path / "ansible")
    untouched = listing(box)
    export("ansible", [Plan("web1", (*FILES, OWN)), Plan("web2", (*FILES, OWN))], tmp_path)
    playbook = tmp_path / RUN / "playbook.yml"
    use_stand_in(playbook)
    more = {
        "ansible_connection": "local", "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
    }  # fmt: skip
    argv = [str(ANSIBLE), "-i", "web1,", "-e", json.dumps(more), str(playbook)]

    code, said, value = inside(box, *argv, "--check", "--diff")
    assert (code, value) == (0, "0"), said
    assert "changed=4" in said
    assert listing(box) == untouched
    code, said, value = inside(box, *argv)
    assert (code, value) == (0, "1"), said
    assert "changed=4" in said
    assert listing(box) == expected
    box.put(HOOK, b"somebody was faster")
    untouched = listing(box)
    code, said, _ = inside(box, *argv)
    assert code != 0
    assert "plan again" in said
    assert listing(box) == untouched


def plays(folder: Path) -> list[dict[str, object]]:
    text = (folder / RUN / "playbook.yml").read_text()
    found: list[dict[str, object]] = yaml.safe_load(re.sub(r"!unsafe ", "", text))
    return found


def test_equal_plans_share_a_play_and_only_ready_ones_are_written(tmp_path: Path) -> None:
    inode = running_value(77, 0, 1, own=True)
    made = [
        Plan("a", (*FILES, OWN)), Plan("b", (*FILES, inode)), Plan("c", (OWN,)),
        Plan("d", (OWN,), needs_approval="x"), Plan("e", (OWN,), blocked="x"), Plan("f"),
    ]  # fmt: skip
    said = export("ansible", made, tmp_path)
    assert [play["hosts"] for play in plays(tmp_path)] == [["a", "b"], ["c"]]
    assert "3 hosts" in said[-1]
    assert {plan.status for plan in made[3:]}.isdisjoint({RemediationStatus.PLANNED})


def test_only_modules_of_ansible_builtin_are_used(tmp_path: Path) -> None:
    export("ansible", [Plan("a", (*FILES, OWN))], tmp_path)
    words = {"name", "register", "vars", "loop", "loop_control", "when"}
    for play in plays(tmp_path):
        for task in play["tasks"]:  # type: ignore[attr-defined]
            (module,) = set(task) - words
            assert module.startswith("ansible.builtin.")


@pytest.mark.parametrize(("target", "steps", "why"), [
    ("a:b", (OWN,), "pattern"), ("all", (OWN,), "pattern"), ("{{ x }}", (OWN,), "pattern"),
    ("a", (running_value(7, 1, 0),), "namespaces"), ("a", (write("/srv/x", None, b""),), "/srv/x"),
])  # fmt: skip
def test_what_a_playbook_cannot_say_is_left_out_and_named(
    tmp_path: Path, target: str, steps: tuple[Step, ...], why: str
) -> None:
    (said,) = export("ansible", [Plan(target, steps)], tmp_path)
    assert why in said
    assert "--plan-format shell" in said
    assert not (tmp_path / RUN / "playbook.yml").exists()


def test_hostile_names_stay_in_comments_and_in_the_folder(tmp_path: Path) -> None:
    names = ["../../x", "a\nid >pwned #", "..", "a\nid >pwned !", "é" * 300, "-rf"]
    export("shell", [Plan(name, FILES, notes=("a\nid >pwned",)) for name in names], tmp_path)
    made = list((tmp_path / RUN).iterdir())
    assert len(made) == len(names)
    for one in made:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*[.]sh", one.name)
        head = one.read_text("ascii").partition("\nset -u\n")[0]
        assert all(line.startswith("#") for line in head.split("\n"))


def test_a_format_is_for_plans_only() -> None:
    given = {
        "plan_format": "shell",
        "max_failures": 0,
        "batches": "1",
        "grace": 1,
        "remediate": True,
    }
    with pytest.raises(RemediationOptionError, match="add --remediate-plan"):
        RemediationOptions.read(given.get)


def test_shellcheck_finds_nothing_in_a_script(tmp_path: Path) -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    if not shellcheck.exists():
        pytest.skip("shellcheck is not installed")
    export("shell", [Plan("web1", (*FILES, OWN))], tmp_path)
    # Comments go with those of the functions that it shares, also those for shellcheck.
    known = "SC1111,SC2012,SC2016,SC2034,SC2046,SC2086,SC2154"
    argv = [shellcheck, "-s", "sh", "-e", known, tmp_path / RUN / "web1.sh"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.stdout == ""
