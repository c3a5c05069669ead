"""A whole audit through the user's own transports, with programs in PATH that record their argv."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from program import Audit

INVENTORY = """\
all:
  hosts:
    web:
      ansible_connection: docker
      ansible_host: nginx-1
      ansible_user: app
    proxy:
      ansible_connection: kubernetes.core.kubectl
      ansible_host: node7.example.com
      ansible_kubectl_pod: kube-proxy-x7k2p
      ansible_kubectl_namespace: kube-system
      ansible_kubectl_container: kube-proxy
      ansible_kubectl_context: eu-1; touch mark
    gone:
      ansible_connection: podman
      ansible_host: none
    context:
      ansible_connection: kubectl
      ansible_kubectl_pod: "pod$(touch${IFS}mark)"
    token:
      ansible_connection: kubectl
      ansible_kubectl_token: hunter2
    '`touch${IFS}mark`':
      ansible_ssh_common_args: -o 'ProxyCommand=echo %h >mark'
"""
#: Writes its arguments down, one a line, but the script; then runs that here.
RECORDER = """\
#!/bin/sh
for word; do [ "${#word}" -gt 200 ] || printf '%s\\n' "$word"; done >"$0.argv"
for last; do :; done
exec sh -c "$last"
"""
#: Says what podman says of a container that is not there.
FAILING = """\
#!/bin/sh
echo 'Error: no container with name or ID "none" found: no such container' >&2
exit 125
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("docker", RECORDER), ("kubectl", RECORDER), ("podman", FAILING)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_containers_and_pods_are_audited_through_their_own_programs(
    audit: Audit, programs: Path, tmp_path: Path
) -> None:
    inventory = tmp_path / "pods.yml"
    inventory.write_text(INVENTORY)
    ran = audit("--inventory", inventory)
    hosts = {host["name"]: host for host in ran.results["hosts"]}
    assert {name: host["state"] for name, host in hosts.items()} == {
        "web": "assessed",
        "proxy": "assessed",
        "gone": "unreachable",
        "context": "unreachable",
        "token": "unreachable",
        "`touch${IFS}mark`": "unreachable",
    }, ran.output
    for name in ("context", "`touch${IFS}mark`"):
        assert "could run a command on this machine" in hosts[name]["reason"]
    assert not (ROOT / "mark").exists()
    assert "no such container" in hosts["gone"]["reason"]
    assert "ansible_kubectl_token is not followed: name a kubeconfig" in hosts["token"]["reason"]
    assert "hunter2" not in ran.output
    assert hosts["proxy"]["facts"]["reached"].startswith("kubectl --context=eu-1; touch mark ")

    def argv(name: str) -> list[str]:
        return (programs / f"{name}.argv").read_text().splitlines()

    assert argv("docker")[:6] == ["exec", "-u", "app", "nginx-1", "/bin/sh", "-c"]
    assert argv("kubectl")[:8] == [
        *("--context=eu-1; touch mark", "--namespace=kube-system", "--container=kube-proxy"),
        *("exec", "kube-proxy-x7k2p", "--", "/bin/sh", "-c"),
    ]
