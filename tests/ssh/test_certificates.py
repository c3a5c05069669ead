"""Certificates of hosts and users, and keys that a file revokes; the authority is ssh-keygen."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from openssh import ME, Server, Start, fingerprint, keygen, public, wait_until

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.transport.settings import Settings


def sign(authority: Path, key: Path, *options: str) -> Path:
    """Certify a key; the certificate lies beside it."""
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", *options, f"{key}.pub"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key.with_name(f"{key.name}-cert.pub")


def enter(server: Server, settings: Settings, **changes: Any) -> str:
    connection = open_connection(server.target(**changes), settings)
    output = connection.run_script(b"echo hello", timeout=20, max_output=100)
    connection.close()
    assert output.stdout == b"hello\n"
    return connection.fingerprint


def refusal(server: Server, settings: Settings, **changes: Any) -> str:
    with pytest.raises(TransportError) as caught:
        enter(server, settings, **changes)
    assert caught.value.retry == "never"
    return caught.value.message


@pytest.fixture(scope="module")
def authority(room: Path) -> Path:
    return keygen(room / "authority")


@pytest.fixture(scope="module")
def certified(room: Path, start: Start, authority: Path) -> Iterator[Server]:
    """A server with a key of its own, with a certificate; it trusts users' certificates, too."""
    key = keygen(room / "certified")
    certificate = sign(authority, key, "-h", "-n", "127.0.0.1,db.example.net")
    with start(
        f"HostKey {key}", f"HostCertificate {certificate}", f"TrustedUserCAKeys {authority}.pub"
    ) as server:
        yield server


def known_authority(server: Server, authority: Path, more: str = "") -> Settings:
    return server.with_known(f"@cert-authority 127.0.0.1 {public(authority)}\n{more}")


def test_host_is_known_by_the_authority_that_certified_its_key(
    certified: Server, authority: Path, room: Path
) -> None:
    settings = known_authority(certified, authority)
    assert enter(certified, settings) == fingerprint(room / "certified")
    alias = "-o HostKeyAlias=DB.example.net"
    known = certified.with_known(f"@cert-authority *.example.net {public(authority)}\n")
    enter(certified, known, ssh_args=alias)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_certificates_and_authorities_of_other_types_count(
    start: Start, tmp_path: Path, kind: str
) -> None:
    authority, key = keygen(tmp_path / "authority", kind), keygen(tmp_path / "key", kind)
    certificate = sign(authority, key, "-h", "-n", "127.0.0.1")
    with start(f"HostKey {key}", f"HostCertificate {certificate}") as server:
        assert enter(server, known_authority(server, authority)) == fingerprint(key)


def test_host_without_a_certificate_is_not_known_by_an_authority(
    sshd: Server, authority: Path
) -> None:
    for policy in ("strict", "accept-new"):
        settings = replace(known_authority(sshd, authority), host_key_policy=policy)
        message = refusal(sshd, settings)
        assert "the host shows no certificate" in message
        assert fingerprint(sshd.host_keys["ed25519"]) in message
    plain = f"{sshd.name} {public(sshd.host_keys['ed25519'])}\n"
    enter(sshd, known_authority(sshd, authority, plain))


def test_certificate_of_another_authority_does_not_count(certified: Server, tmp_path: Path) -> None:
    message = refusal(certified, known_authority(certified, keygen(tmp_path / "other")))
    assert "by another authority" in message


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("-h", "-n", "127.0.0.2"), "is for 127.0.0.2 only"),
        (("-h",), "names no host"),
        (("-h", "-n", "127.0.0.1", "-V", "20200101:20200201"), "has expired"),
        (("-h", "-n", "127.0.0.1", "-V", "20990101:20990201"), "is not valid yet"),
    ],
)
def test_certificate_that_does_not_fit_says_why(
    start: Start, tmp_path: Path, authority: Path, options: tuple[str, ...], why: str
) -> None:
    key = keygen(tmp_path / "key")
    certificate = sign(authority, key, *options)
    with start(f"HostKey {key}", f"HostCertificate {certificate}") as server:
        assert why in refusal(server, known_authority(server, authority))
        # As with OpenSSH, its plain key counts where that is known.
        enter(server, known_authority(server, authority, f"{server.name} {public(key)}\n"))


def test_revoked_authority_or_key_is_refused(
    certified: Server, authority: Path, room: Path
) -> None:
    for key in (authority, room / "certified"):
        settings = known_authority(certified, authority, f"@revoked * {public(key)}\n")
        assert "@revoked" in refusal(certified, settings)


def test_key_in_the_file_of_revoked_host_keys_is_refused(sshd: Server, tmp_path: Path) -> None:
    revoked = tmp_path / "revoked"
    args = f"-o RevokedHostKeys={revoked}"
    assert "no host key is valid" in refusal(sshd, sshd.settings, ssh_args=args)
    revoked.write_text(f"# stolen\n{public(keygen(tmp_path / 'other'))} a comment\n")
    enter(sshd, sshd.settings, ssh_args=args)
    with revoked.open("a") as file:
        file.write(f"{public(sshd.host_keys['ed25519'])}\n")
    assert "is revoked in" in refusal(sshd, sshd.settings, ssh_args=args)
    subprocess.run(
        ["ssh-keygen", "-q", "-k", "-f", str(revoked), f"{sshd.host_keys['rsa']}.pub"], check=True
    )
    # OpenSSH's client, which auto would turn to, can read it.
    assert "KRL" in refusal(sshd, replace(sshd.settings, transport="paramiko"), ssh_args=args)


@contextlib.contextmanager
def agent(folder: Path, key: Path) -> Iterator[Path]:
    """A real ssh-agent that holds one key and no certificate."""
    sock = folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(sock)], stdout=subprocess.DEVNULL)
    try:
        assert wait_until(sock.exists, 30)
        subprocess.run(
            ["ssh-add", "-q", str(key)], env=os.environ | {"SSH_AUTH_SOCK": str(sock)}, check=True
        )
        yield sock
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_user_logs_in_by_certificate(
    certified: Server, authority: Path, tmp_path: Path, kind: str
) -> None:
    key = keygen(tmp_path / "me", kind)
    settings = known_authority(certified, authority)
    target = {"key_file": str(key)}
    assert "login as" in refusal(certified, settings, **target)
    beside = sign(authority, key, "-n", ME)
    enter(certified, settings, **target)
    elsewhere = beside.rename(tmp_path / "elsewhere")
    assert "login as" in refusal(certified, settings, **target)
    enter(certified, settings, **target, ssh_args=f"-o CertificateFile={elsewhere}")
    with agent(tmp_path, key) as sock:
        key.unlink()
        settings = replace(settings, ssh_config=tmp_path / "config")
        (tmp_path / "config").write_text(
            f"CertificateFile ${{IPVS_AUDIT_TEST}}/elsewhere\nIdentityAgent {sock}\n"
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("IPVS_AUDIT_TEST", str(tmp_path))
            enter(certified, settings, key_file=str(tmp_path / "me"))


def test_certificate_that_cannot_be_used_is_named(
    certified: Server, authority: Path, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "me")
    other = sign(authority, keygen(tmp_path / "other"), "-n", ME)
    (tmp_path / "text").write_text("ssh-ed25519 AAAA\n")
    args = f"-o CertificateFile={other} -o CertificateFile={tmp_path}/text -o CertificateFile=/no/f"
    message = refusal(
        certified, known_authority(certified, authority), key_file=str(key), ssh_args=args
    )
    assert f"{other}: there is no key for it" in message
    assert "text: not a usable certificate" in message
    assert "/no/f: No such file" in message
