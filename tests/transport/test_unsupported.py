"""What needs OpenSSH's client: said from ssh_config, known_hosts and key files alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipvs_audit.model.target import Target
from ipvs_audit.transport.settings import Settings
from ipvs_audit.transport.ssh.unsupported import unsupported_by_paramiko

if TYPE_CHECKING:
    from pathlib import Path


def options(tmp_path: Path, text: str, args: str = "", **changes: object) -> list[str]:
    path = tmp_path / "config"
    path.write_text(text)
    target = Target("t", address="web1", ssh_args=args)
    settings = Settings(ssh_config=path, known_hosts=(tmp_path / "known",), **changes)  # type: ignore[arg-type]
    return [each.option for each in unsupported_by_paramiko(target, settings)]


@pytest.fixture(autouse=True)
def _no_ticket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KRB5CCNAME", str(tmp_path / "ticket"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("KnownHostsCommand /bin/keys %H\n", ["KnownHostsCommand"]),
        ("KnownHostsCommand none\n", []),
        ("PKCS11Provider /usr/lib/p11.so\n", ["PKCS11Provider"]),
        ("BindInterface eth0\n", ["BindInterface"]),
        ("ProxyUseFdpass yes\nProxyCommand nc -F %h %p\n", ["ProxyUseFdpass"]),
        ("HostbasedAuthentication yes\n", ["HostbasedAuthentication"]),
        ("CanonicalizeHostname always\n", ["CanonicalizeHostname"]),
        ("CanonicalizeHostname no\n", []),
        ("User %u\n", ["User"]),
        ("Match exec true\n  User db\n", ["Match exec"]),
        ("Match localnetwork 10.0.0.0/8\n  ProxyJump none\n", ["Match localnetwork"]),
        ("Match originalhost other exec true\n  User db\n", []),
        ("Match exec true originalhost other\n  User db\n", []),
        ("Match !exec true\n  Port 3\n", ["Match exec"]),
        ("User me\nMatch exec true\n  User db\n", []),
        ("Match exec true\n  SendEnv LANG\n  ServerAliveInterval 5\n", []),
        ("ProxyJump bastion\nMatch exec true\n  ProxyCommand nc %h %p\n", []),
        ("Host bastion\n  KnownHostsCommand /bin/keys\nHost web1\n  ProxyJump bastion\n",
         ["KnownHostsCommand"]),
        ("Ciphers chacha20-poly1305@openssh.com\n", ["Ciphers"]),
        ("Ciphers +aes128-cbc\nMACs umac-64@openssh.com,hmac-sha2-512\n", []),
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com\n", ["KexAlgorithms"]),
        ("Usr me\n", ["usr"]),
        ("IgnoreUnknown Us?,Other*\nUsr me\n", []),
        ("Match tagged web\n  KnownHostsCommand /bin/keys\n", []),
        ("Tag web\nMatch tagged web\n  KnownHostsCommand /bin/keys\n", ["KnownHostsCommand"]),
        ("GSSAPIAuthentication yes\nHashKnownHosts yes\nSendEnv LANG LC_*\n", []),
    ],
)  # fmt: skip
def test_setting_that_only_openssh_can_follow_is_named(
    text: str, found: list[str], tmp_path: Path
) -> None:
    assert options(tmp_path, text) == found


def test_kerberos_counts_where_there_is_a_ticket(tmp_path: Path) -> None:
    (tmp_path / "ticket").write_text("")
    assert options(tmp_path, "GSSAPIAuthentication yes\n") == ["GSSAPIAuthentication"]
    assert options(tmp_path, "GSSAPIAuthentication no\n") == []


def test_arguments_count_like_ssh_config(tmp_path: Path) -> None:
    assert options(tmp_path, "", "-o KnownHostsCommand=/bin/keys -I /lib/p11.so") == [
        "KnownHostsCommand",
        "PKCS11Provider",
    ]


def test_key_on_a_fido_token_is_seen_in_its_public_half(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "id.pub").write_text("sk-ssh-ed25519@openssh.com AAAA me@here\n")
    assert options(tmp_path, f"IdentityFile {tmp_path}/id\n") == ["IdentityFile"]
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA sk-ssh-ed25519@openssh.com\n")
    assert options(tmp_path, f"IdentityFile {tmp_path}/id\n") == []


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("web1 sk-ssh-ed25519@openssh.com AAAA\n", ["UserKnownHostsFile"]),
        ("web1 sk-ssh-ed25519@openssh.com AAAA\nweb1 ssh-ed25519 AAAA\n", []),
        ("other sk-ssh-ed25519@openssh.com AAAA\n", []),
        ("", []),
    ],
)
def test_host_known_by_a_key_that_paramiko_lacks_is_named(
    lines: str, found: list[str], tmp_path: Path
) -> None:
    (tmp_path / "known").write_text(lines)
    assert options(tmp_path, "") == found
