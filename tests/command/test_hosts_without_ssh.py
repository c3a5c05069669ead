"""The examples of docs/no-ssh.md, as they stand there: the channels are stand-ins that record argv.

Each stand-in runs on this machine what the real one would run on a host.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from program import ROOT

from ipvs_audit.snapshot import Failure, Snapshot, store

TEXT = (ROOT / "docs" / "no-ssh.md").read_text()
#: The examples by heading and number: what a user copies.
EXAMPLES = {
    (section.splitlines()[0], number): block
    for section in TEXT.split("\n## ")[1:]
    for number, block in enumerate(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
}

#: Writes its arguments down, a JSON list a line, and then does what the rest says.
STAND_IN = """\
#!{python}
import base64, json, os, pathlib, subprocess, sys
argv = sys.argv[1:]
with open(__file__ + ".argv", "a") as file:
    file.write(json.dumps(argv) + "\\n")
def after(option):
    return argv[argv.index(option) + 1]
def run(command, stdin=None):
    return subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, check=True).stdout
kept = pathlib.Path(__file__ + ".kept")
"""

ALIYUN = """\
if argv[1] == "RunCommand":
    content = after("--CommandContent")
    assert len(content) <= 18 * 1024, len(content)
    kept.write_bytes(run(["sh", "-c", base64.b64decode(content)]))
    print(json.dumps({"InvokeId": "t-1"}))
else:
    assert after("--InvokeId") == "t-1"
    known = kept.with_suffix(".asked").exists()
    kept.with_suffix(".asked").touch()
    output = base64.b64encode(kept.read_bytes()).decode()
    result = {"InvocationStatus": "Success" if known else "Running", "Output": output}
    print(json.dumps({"Invocation": {"InvocationResults": {"InvocationResult": [result]}}}))
"""
AWS = """\
if argv[1] == "send-command":
    given = json.loads(pathlib.Path(after("--parameters").removeprefix("file://")).read_text())
    (command,) = given["commands"]
    kept.write_bytes(run(["sh", "-c", command]))
    print("c-1")
elif argv[1] == "get-command-invocation":
    text = kept.read_text()
    print(text[:24000])
"""
SALT = """\
assert argv[2:] == ["*", "cmd.run_stdout", argv[4], "python_shell=True", "timeout=120"]
print(json.dumps({"web1": run(["sh", "-c", argv[4]]).decode().rstrip()}))
"""
KUBECTL = """\
if argv[0] == "debug":
    command = argv[argv.index("--") + 1:]
    assert command[:9] == "nsenter -t 1 -m -u -i -n -p --".split()
    print("Defaulting debug container name to debugger-x.")
    sys.stdout.flush()
    sys.stdout.buffer.write(run(command[9:], sys.stdin))
elif "configmap" in argv:
    kept.write_bytes(pathlib.Path(argv[-1].partition("=")[2]).read_bytes())
elif "pods" in argv:
    print("ipvs-audit-probe-x1 node1")
elif "logs" in argv:
    sys.stdout.buffer.write(run(["sh", "-s"], kept.open("rb")))
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder to work in, with a folder ``bin`` for stand-ins."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "run").mkdir()
    return tmp_path


def stand_in(desk: Path, name: str, text: str) -> None:
    program = desk / "bin" / name
    program.write_text(STAND_IN.format(python=sys.executable) + text)
    program.chmod(0o755)


def argv(desk: Path, name: str) -> list[list[str]]:
    lines = (desk / "bin" / f"{name}.argv").read_text().splitlines()
    return [json.loads(line) for line in lines]


def follow(desk: Path, example: str, **variables: str) -> dict[str, Snapshot | Failure]:
    """Run an example; what evidence it ends with, by host."""
    done = subprocess.run(
        ["sh", "-eu"],
        input=example,
        cwd=desk,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
        env=os.environ
        | variables
        | {
            "PATH": f"{desk / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_RUNTIME_DIR": str(desk / "run"),
        },
    )
    assert done.returncode == 0, done.stdout
    assert "1 good answer, 0 errors" in done.stdout
    assert (desk / "evidence" / store.NAME).stat().st_mode & 0o777 == 0o600
    assert (desk / "evidence").stat().st_mode & 0o777 == 0o700
    assert not list((desk / "run").iterdir())
    return {one.target: one for one in store.read(desk / "evidence")}


def this_machine(evidence: dict[str, Snapshot | Failure], name: str) -> bool:
    one = evidence[name]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return isinstance(one, Snapshot) and one.host.boot_id == boot


def test_a_stick(desk: Path) -> None:
    stand_in(desk, "hostname", 'print("web1")\n')
    (desk / "stick").mkdir()
    found = follow(desk, EXAMPLES["A stick", 0], STICK=str(desk / "stick"))
    assert this_machine(found, "web1")


def test_alibaba_cloud_assistant_takes_three_commands_of_18_kilobytes(desk: Path) -> None:
    stand_in(desk, "aliyun", ALIYUN)
    example = EXAMPLES["Alibaba Cloud Assistant", 0]
    found = follow(desk, example, INSTANCES="i-0a1", REGION="cn-hangzhou")
    assert this_machine(found, "i-0a1")
    sent = [one for one in argv(desk, "aliyun") if one[1] == "RunCommand"]
    assert len(sent) == 3
    assert sent[0][:14] == [
        *("ecs", "RunCommand", "--RegionId", "cn-hangzhou", "--InstanceId.1", "i-0a1"),
        *("--Type", "RunShellScript", "--Username", "root", "--Timeout", "120"),
        *("--ContentEncoding", "Base64"),
    ]


def test_aws_systems_manager(desk: Path) -> None:
    stand_in(desk, "aws", AWS)
    found = follow(desk, EXAMPLES["AWS Systems Manager", 0], INSTANCES="i-0123456789abcdef0")
    assert this_machine(found, "i-0123456789abcdef0")
    assert [one[:2] for one in argv(desk, "aws")] == [
        ["ssm", "send-command"],
        ["ssm", "wait"],
        ["ssm", "get-command-invocation"],
    ]


def test_salt(desk: Path) -> None:
    stand_in(desk, "salt", SALT)
    assert this_machine(follow(desk, EXAMPLES["Salt", 0], MINIONS="*"), "web1")
    assert argv(desk, "salt")[0][:3] == ["--out=json", "--static", "*"]


def test_kubernetes_nodes_by_a_daemonset(desk: Path) -> None:
    stand_in(desk, "kubectl", KUBECTL)
    found = follow(desk, EXAMPLES["Kubernetes nodes", 0])
    assert this_machine(found, "node1")
    assert argv(desk, "kubectl")[0] == ["apply", "-f", "docs/daemonset.yml"]
    assert argv(desk, "kubectl")[-1] == ["delete", "-f", "docs/daemonset.yml"]


def test_a_kubernetes_node_by_kubectl_debug(desk: Path) -> None:
    stand_in(desk, "kubectl", KUBECTL)
    found = follow(desk, EXAMPLES["Kubernetes nodes", 1], NODE="node1")
    assert this_machine(found, "node1")
    assert argv(desk, "kubectl")[0][:5] == [
        *("debug", "node/node1", "-i", "--quiet", "--profile=sysadmin"),
    ]


def test_every_example_of_the_page_is_tried_here() -> None:
    assert [name for name, _ in EXAMPLES] == [
        *("A stick", "Kubernetes nodes", "Kubernetes nodes"),
        *("Alibaba Cloud Assistant", "AWS Systems Manager", "Salt"),
    ]


def manifest() -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod of the DaemonSet and its only container."""
    _, daemon_set = yaml.safe_load_all((ROOT / "docs" / "daemonset.yml").read_text())
    pod = daemon_set["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


def test_the_daemonset_enters_its_node_and_writes_nothing_there() -> None:
    pod, container = manifest()
    assert pod["hostPID"] is True
    assert container["securityContext"] == {"privileged": True, "readOnlyRootFilesystem": True}
    assert not any("hostPath" in volume for volume in pod["volumes"])
    assert container["command"][2].startswith("nsenter -t 1 -m -u -i -n -p -- sh -s </probe/")


def test_the_daemonsets_command_answers_and_is_then_ready(desk: Path) -> None:
    """With an nsenter and a sleep that do nothing, and its own folders in place of the pod's."""
    _, container = manifest()
    (desk / "bin" / "nsenter").write_text('#!/bin/sh\nshift 8\nexec "$@"\n')
    (desk / "bin" / "sleep").write_text('#!/bin/sh\n[ "$1" = 86400 ] || exec /bin/sleep "$@"\n')
    for name in ("nsenter", "sleep"):
        (desk / "bin" / name).chmod(0o755)
    ready = "/".join(container["readinessProbe"]["exec"]["command"][-1:])
    command = container["command"][2].replace("/probe/", "./").replace(ready, "./done")
    example = (
        f"ipvs-audit probe --compressed > probe.sh; ( {command} ) > node1.txt; test -e done\n"
        "ipvs-audit import --script probe.sh --into evidence node1.txt"
    )
    assert this_machine(follow(desk, example), "node1")


def ipvs_audit(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ipvs_audit", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_imported_evidence_is_audited_and_the_report_says_what_is_not_known(desk: Path) -> None:
    """One good answer, one that was cut, and a host of the inventory that did not answer."""
    (desk / "probe.sh").write_text(ipvs_audit("probe", "--namespaces", "every", cwd=desk).stdout)
    answer = subprocess.run(["sh", desk / "probe.sh"], capture_output=True, check=True).stdout
    (desk / "a1.txt").write_bytes(answer)
    (desk / "a2.txt").write_bytes(answer[: len(answer) // 2])
    (desk / "names").write_text("a1.txt web1\na2.txt web2\n")
    (desk / "hosts.ini").write_text("[web]\nweb1\nweb2\nweb3\n")
    done = ipvs_audit(
        *("import", "--script", "probe.sh", "--map", "names", "--max-age", "1h"),
        *("--into", "evidence", "a1.txt", "a2.txt"),
        cwd=desk,
    )
    assert done.returncode == 1, done.stderr
    assert "import: web2: a2.txt: run the probe on that host again: its answer was cut" in (
        done.stderr
    )
    ran = ipvs_audit("audit", "--inventory", "hosts.ini", "--from-snapshots", "evidence", cwd=desk)
    assert ran.returncode == 1, ran.stdout
    hosts = json.loads((desk / "reports/latest/results.json").read_text())["hosts"]
    states = {host["name"]: host["state"] for host in hosts}
    assert states == {"web1": "assessed", "web2": "unreachable", "web3": "unreachable"}
    facts = hosts[0]["facts"]
    assert facts["reached"] == "imported from a1.txt; its address is not known"
    assert facts["host key"] == "not known"
    assert facts["clock"].endswith("its difference from the controller's is not known")
    assert ipvs_audit("verify", "reports/latest", cwd=desk).returncode == 0
