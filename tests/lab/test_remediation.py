"""Real hosts remediated, compliant through reload and reboot, and rolled back to what they were."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from planned import value_steps
from remedied import VALUE, Remedied

from ipvs_audit.model.policy import Policy
from ipvs_audit.remedy.plan_export import export_plans
from lab import fleet as lab_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TRAP = "/etc/sysctl.d/90-ipvs.conf"
OFF = "net.ipv4.vs.run_estimation = 0\n"
DRIFT = (
    f"rm -f {TRAP} /etc/modprobe.d/ipvs.conf; sed -i /run_estimation/d /etc/sysctl.conf;"
    f" echo 1 >{VALUE}"
)
RECIPE = "install ip_vs /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p\n"


@pytest.fixture(scope="module")
def hosts(_qemu_works: None) -> Iterator[dict[str, Remedied]]:
    """A drifted host on 6.1, and one on 6.12 whose namespace `green` is wrong."""
    wanted = {
        "timer": ("6.1", ["unset", "services", "traffic"]),
        "kthread": ("6.12", ["recipe", "services", "traffic", "namespaces"]),
    }
    folder = lab_fleet.own_folder() / "remediation"

    def one(name: str) -> Remedied:
        series, states = wanted[name]
        return Remedied(lab_fleet.boot(series, folder / name, name=name, states=states))

    try:
        with ThreadPoolExecutor(2) as pool:
            yield dict(zip(wanted, pool.map(one, wanted), strict=True))
    finally:
        for guest in lab_fleet.guests(folder):
            guest.stop()


def running_values(host: Remedied) -> list[str]:
    asked = "; ".join(
        f"ip netns exec {name} cat /proc/sys/net/ipv4/vs/run_estimation 2>/dev/null"
        for name in ("blue", "green")
    )
    return [host.value(), *host.guest.ssh(f"{asked}; true").stdout.split()]


def remedied(host: Remedied, *, and_back: bool) -> None:
    """Remediate, remediate again, undo: all pass, an empty plan, no trace. Then do it again."""
    etc, values = host.etc(), running_values(host)
    evidence = host.collect()
    made = host.plan(evidence)
    assert made.ready, (made.status, made.blocked)
    assert host.all_right(evidence)
    report = host.apply(made)
    assert report.complete, report
    assert not report.unsettled, report
    after = host.collect()
    assert not host.all_right(after)
    assert host.plan(after).status == "already_compliant"
    if and_back:
        undone = host.undo()
        assert undone.complete, undone
        assert not undone.unsettled, undone
        assert (host.etc(), running_values(host)) == (etc, values)
        assert host.apply(made).complete


def kept(host: Remedied) -> None:
    """What was done holds after a reboot and a reload, and can be undone even then."""
    host.guest.reboot()
    assert host.value() == "0"
    assert host.reloaded() == "0"


def both_at_once(hosts: dict[str, Remedied], act: object) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(act, host) for host in hosts.values()]:  # type: ignore[arg-type]
            done.result()


def test_recipe_puts_right_stays_right_and_comes_back(hosts: dict[str, Remedied]) -> None:
    before = {name: host.etc() for name, host in hosts.items()}

    def life(host: Remedied) -> None:
        host.policy = Policy(remedy="recipe")
        remedied(host, and_back=True)
        kept(host)
        undone = host.undo()
        assert not undone.unsettled, undone
        assert host.etc() == before[host.guest.name]
        assert host.value() == {"timer": "1", "kthread": "0"}[host.guest.name]

    both_at_once(hosts, life)


def test_drop_in_puts_right_stays_right_and_comes_back(hosts: dict[str, Remedied]) -> None:
    """On 6.1 from the trap (a drop-in, and a hook that does not read it), on 6.12 from nothing."""

    def life(host: Remedied) -> None:
        host.policy = Policy(remedy="drop-in")
        if host.guest.name == "timer":
            host.guest.put(TRAP, OFF)
            host.guest.put("/etc/modprobe.d/ipvs.conf", RECIPE)
        else:
            clean = "sed -i /run_estimation/d /etc/sysctl.conf; rm /etc/modprobe.d/ipvs.conf"
            host.guest.ssh(f"{clean}; echo 1 >/proc/sys/net/ipv4/vs/run_estimation")
        host.guest.ssh("systemctl restart lab-ipvs lab-traffic")
        before = host.etc()
        remedied(host, and_back=False)
        assert host.guest.ssh("cat /etc/modprobe.d/ipvs.conf").stdout.endswith(f"-p {TRAP}\n")
        kept(host)
        undone = host.undo()
        assert not undone.unsettled, undone
        assert host.etc() == before

    both_at_once(hosts, life)


@pytest.fixture
def drifted(hosts: dict[str, Remedied]) -> dict[str, Remedied]:
    """Both hosts with nothing persisted and estimation on."""
    for host in hosts.values():
        host.guest.ssh(DRIFT)
    return hosts


def test_a_canary_that_fails_stops_the_rest(drifted: dict[str, Remedied], tmp_path: Path) -> None:
    """Something on the canary sets the value back again and again."""
    timer, kthread = drifted["timer"], drifted["kthread"]
    before = kthread.etc()
    meddler = f"while :; do echo 1 >{VALUE}; sleep 0.1; done </dev/null >/dev/null 2>&1 & echo $!"
    pid = timer.guest.ssh(meddler).stdout.strip()
    try:
        done = audit(tmp_path, drifted, "--remediate")
    finally:
        timer.guest.ssh(f"kill {pid}")
    assert done.returncode == 1, done.stdout
    assert "timer: partially remediated" in done.stdout, done.stdout
    assert "not attempted because 1 host has failed and --max-failures is 0: kthread" in done.stdout
    assert kthread.etc() == before
    results = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    found = {host["name"]: host["remedy"]["status"] for host in results["hosts"]}
    assert found == {"timer": "partially_remediated", "kthread": "not_attempted"}


def test_what_a_killed_controller_left_is_rolled_back(
    drifted: dict[str, Remedied], tmp_path: Path
) -> None:
    before = {name: host.etc() for name, host in drifted.items()}
    command = _command(tmp_path, drifted, "--remediate")
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    journal = _wait_for_applying(tmp_path / "reports")
    time.sleep(1.5)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert drifted["kthread"].etc() == before["kthread"]
    done = audit(tmp_path, drifted, "--rollback", journal.parent.name)
    assert "timer: rolled back" in done.stdout, done.stdout
    assert {name: host.etc() for name, host in drifted.items()} == before
    assert drifted["timer"].value() == "1"
    results = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    found = {host["name"]: host["remedy"] for host in results["hosts"]}
    assert found["timer"]["status"] == "rolled_back"
    assert found["kthread"] is None


def test_a_host_that_is_off_is_turned_on_again_and_comes_back(
    drifted: dict[str, Remedied], tmp_path: Path
) -> None:
    """The vendor's re-enable, `--estimation enabled --remediate`, from a host that is right."""
    host = drifted["timer"]
    host.policy = Policy()
    assert host.apply(host.plan()).complete
    before = host.etc()
    assert host.value() == "0"
    done = audit(tmp_path, {"timer": host}, "--estimation", "enabled", "--remediate")
    assert "timer: remediated" in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout
    run = (tmp_path / "reports" / "latest").resolve().name
    host.policy = Policy(estimation="enabled")
    after = host.collect()
    assert host.value() == "1"
    keys = host.guest.ssh("grep run_estimation /etc/sysctl.conf").stdout.splitlines()
    assert [key.replace(" ", "") for key in keys] == ["net.ipv4.vs.run_estimation=1"]
    assert set(host.verdicts(after).values()) <= {"pass", "not_applicable", "inconclusive"}
    assert host.plan(after).status == "already_compliant"
    assert host.reloaded() == "1"
    done = audit(tmp_path, {"timer": host}, "--rollback", run)
    assert "timer: rolled back" in done.stdout, done.stdout
    assert (host.etc(), host.value()) == (before, "0")


def test_a_namespace_whose_key_the_kernel_hides_is_named_and_not_called_right(
    drifted: dict[str, Remedied], tmp_path: Path
) -> None:
    """Up to Linux 6.8 a namespace of another user namespace than the first shows no key."""
    host = drifted["timer"]
    before = host.etc()
    hidden = "setsid unshare -Un sleep 900 </dev/null >/dev/null 2>&1 & echo $!; sleep 1"
    pid = host.guest.ssh(f"sysctl -q user.max_user_namespaces=100; {hidden}").stdout.strip()
    policy = tmp_path / "policy.yml"
    policy.write_text("namespaces: every\n")
    try:
        host.policy = Policy(namespaces="every")
        made = host.plan()
        assert [note for note in made.notes if "hides the key there" in note], made
        assert [step.name for step in value_steps(made) if step.own], made
        done = audit(tmp_path, {"timer": host}, "--remediate", "--policy", str(policy))
    finally:
        host.policy = Policy()
        host.guest.ssh(f"kill {pid}")
    assert "timer: remediated: EST-5 is still inconclusive" in done.stdout, done.stdout
    assert "Incomplete" in done.stdout
    assert host.value() == "0"
    run = (tmp_path / "reports" / "latest").resolve().name
    done = audit(tmp_path, {"timer": host}, "--rollback", run)
    assert "timer: rolled back" in done.stdout, done.stdout
    assert (host.etc(), host.value()) == (before, "1")


def test_the_plan_as_a_script_leaves_what_the_remedy_leaves(
    drifted: dict[str, Remedied], tmp_path: Path
) -> None:
    """The playbook would need a Python on the guest: tests/remedy/test_plan_export.py runs it."""
    host = drifted["timer"]
    host.policy = Policy()
    evidence, clean = host.collect(), host.contents()
    made = host.plan(evidence)
    assert host.apply(made).complete
    after = host.contents()
    assert after != clean
    assert host.undo().undo_complete
    assert host.contents() == clean
    boots = {"timer": evidence.host.boot_id}
    list(export_plans("shell", {"timer": made}, boots, tmp_path / "r1"))
    host.guest.put("/root/plan.sh", (tmp_path / "r1" / "timer.sh").read_text())
    assert "nothing was changed" in host.guest.ssh("sh /root/plan.sh --check").stdout
    assert host.contents() == clean
    host.guest.ssh("sh /root/plan.sh", timeout=120)
    assert (host.contents(), host.value()) == (after, "0")


def _command(folder: Path, hosts: dict[str, Remedied], *arguments: str) -> list[str]:
    return [
        *(sys.executable, "-m", "pytest", "--reports", str(folder / "reports")),
        *("--inventory", str(_inventory(folder, *hosts.values())), "--yes", "-k", "not est_6"),
        *("--connect-timeout", "120", "--deadline", "600"),
        *arguments,
    ]


def audit(
    folder: Path, hosts: dict[str, Remedied], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run the audit as an operator does."""
    return subprocess.run(
        _command(folder, hosts, *arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "120"},
    )


def _wait_for_applying(reports: Path, seconds: float = 600) -> Path:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in reports.glob("*/journal.jsonl"):
            if '"event":"applying"' in path.read_text():
                return path
        time.sleep(0.2)
    raise AssertionError("the run never began to change a host")


def _inventory(folder: Path, *hosts: Remedied) -> Path:
    path = folder / "inventory.yml"
    told = {
        host.guest.name: {
            "ansible_host": "127.0.0.1",
            "ansible_port": host.guest.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(host.guest.client_key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={host.guest.known_hosts}",
        }
        for host in hosts
    }
    path.write_text(yaml.safe_dump({"all": {"hosts": told}}, sort_keys=False))
    return path
