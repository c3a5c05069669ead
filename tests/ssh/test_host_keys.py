"""Host keys: nobody is talked to who is not who known_hosts says."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from openssh import Server, Start, fingerprint, keygen, public

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.ssh import known_hosts
from ipvs_audit.transport.ssh.known_hosts import Key

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.transport.settings import Settings


def enter(server: Server, settings: Settings, **changes: Any) -> Any:
    connection = open_connection(server.target(**changes), settings)
    connection.close()
    return connection.fingerprint


def refusal(server: Server, settings: Settings, **changes: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        enter(server, settings, **changes)
    assert caught.value.kind == "host-key"
    assert caught.value.retry == "never"
    return caught.value.message


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_type_that_is_known_is_the_one_asked_for(sshd: Server, kind: str) -> None:
    settings = sshd.with_known(sshd.known(kind))
    assert enter(sshd, settings) == fingerprint(sshd.host_keys[kind])


def test_unknown_key_shows_fingerprint_and_the_way_to_accept(sshd: Server) -> None:
    message = refusal(sshd, sshd.with_known(""))
    assert fingerprint(sshd.host_keys["ed25519"]) in message
    assert f"ssh-keyscan -p {sshd.port} 127.0.0.1 >>" in message
    assert "--host-key-policy accept-new" in message
    assert message.index("accept-new") < message.index("offered")
    assert "expected none" in message


def test_changed_key_shows_both_fingerprints(sshd: Server, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other")
    message = refusal(sshd, sshd.with_known(f"{sshd.name} {public(other)}\n"))
    assert "CHANGED" in message
    assert fingerprint(other) in message
    assert fingerprint(sshd.host_keys["ed25519"]) in message
    assert "possible interception, or the host was reinstalled" in message
    assert "If it was reinstalled: ssh-keygen -R" in message
    assert message.index("ssh-keygen -R") < message.index("offered")


def test_changed_key_of_another_type_is_changed_too(start: Start, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other", "ecdsa")
    with start() as server:
        message = refusal(server, server.with_known(f"{server.name} {public(other)}\n"))
    assert "CHANGED" in message


def test_accept_new_never_accepts_a_changed_key(sshd: Server, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other", "ecdsa")
    settings = sshd.with_known(f"{sshd.name} {public(other)}\n", host_key_policy="accept-new")
    assert "CHANGED" in refusal(sshd, settings)
    assert settings.known_hosts[0].read_text().count("\n") == 1


def test_accept_new_knows_an_address_in_every_form(sshd: Server, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other", "ecdsa")
    settings = sshd.with_known(f"{sshd.name} {public(other)}\n", host_key_policy="accept-new")
    for form in ("127.1", "0x7f000001"):
        assert "CHANGED" in refusal(sshd, settings, address=form)


def test_accept_new_saves_a_new_key_that_strict_then_knows(sshd: Server) -> None:
    settings = sshd.with_known("# no newline at the end", host_key_policy="accept-new")
    first = enter(sshd, settings)
    assert enter(sshd, replace(settings, host_key_policy="strict")) == first
    found = subprocess.run(
        ["ssh-keygen", "-F", sshd.name, "-f", str(settings.known_hosts[0])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert public(sshd.host_keys["ed25519"]) in found.stdout


def test_accept_new_hashes_where_ssh_config_says_so(sshd: Server, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("HashKnownHosts yes\n")
    settings = sshd.with_known("", host_key_policy="accept-new", ssh_config=config)
    enter(sshd, settings)
    assert settings.known_hosts[0].read_text().startswith("|1|")
    enter(sshd, replace(settings, host_key_policy="strict"))


def test_accept_new_makes_a_private_folder_and_file(sshd: Server, tmp_path: Path) -> None:
    path = tmp_path / "home" / ".ssh" / "known_hosts"
    enter(sshd, replace(sshd.settings, known_hosts=(path,), host_key_policy="accept-new"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_accept_new_by_many_at_once_saves_the_key_once(sshd: Server) -> None:
    settings = sshd.with_known("", host_key_policy="accept-new")
    threads = [threading.Thread(target=enter, args=(sshd, settings)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(settings.known_hosts[0].read_text().splitlines()) == 1


def other_server(start: Start, tmp_path: Path) -> Any:
    """A server that shows a key of its own."""
    return start(f"HostKey {keygen(tmp_path / 'its-own')}", "HostKeyAlgorithms ssh-ed25519")


def test_accept_new_records_beside_an_unrelated_revoked_key(
    sshd: Server, start: Start, tmp_path: Path
) -> None:
    revoked = f"@revoked * {public(keygen(tmp_path / 'stolen'))}\n"
    settings = sshd.with_known(revoked, host_key_policy="accept-new")
    alias = "-o HostKeyAlias=cluster-a"
    enter(sshd, settings, ssh_args=alias)
    assert f"cluster-a {public(sshd.host_keys['ed25519'])}" in settings.known_hosts[0].read_text()
    with other_server(start, tmp_path) as other:
        assert "CHANGED" in refusal(other, settings, ssh_args=alias)


def test_two_keys_for_one_name_at_the_same_time_are_never_both_accepted(
    sshd: Server, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = sshd.with_known("", host_key_policy="accept-new")
    together = threading.Barrier(2, timeout=30)
    add = known_hosts.add

    def both_find_nothing(*given: Any, **more: Any) -> Any:
        together.wait()
        return add(*given, **more)

    monkeypatch.setattr(known_hosts, "add", both_find_nothing)
    outcomes: list[str] = []

    def attempt(server: Server) -> None:
        try:
            outcomes.append(enter(server, settings, ssh_args="-o HostKeyAlias=cluster-a"))
        except TransportError as error:
            outcomes.append(error.message)

    with other_server(start, tmp_path) as other:
        threads = [threading.Thread(target=attempt, args=(each,)) for each in (sshd, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted("CHANGED" in each for each in outcomes) == [False, True]
    assert len(settings.known_hosts[0].read_text().splitlines()) == 1


@pytest.mark.parametrize("file", ["/dev/null", "none"])
def test_file_that_keeps_no_keys_is_an_error_that_says_so(sshd: Server, file: str) -> None:
    everyones = f"-o GlobalKnownHostsFile={sshd.settings.known_hosts[0]}"
    own = f"-o UserKnownHostsFile={file}"
    strict = replace(sshd.settings, known_hosts=())
    accepting = replace(strict, host_key_policy="accept-new")
    enter(sshd, accepting, ssh_args=f"{own} {everyones}")  # known already
    for settings in (strict, accepting):
        message = refusal(sshd, settings, ssh_args=f"{own} -o GlobalKnownHostsFile=/dev/null")
        assert f"UserKnownHostsFile={file} keeps no keys" in message
        assert "--known-hosts FILE" in message


def test_accept_new_never_writes_into_the_systems_file(sshd: Server, tmp_path: Path) -> None:
    everyones = tmp_path / "everyones"
    everyones.write_text("")
    settings = replace(sshd.settings, known_hosts=(), host_key_policy="accept-new")
    refusal(
        sshd, settings, ssh_args=f"-o UserKnownHostsFile=none -o GlobalKnownHostsFile={everyones}"
    )
    assert everyones.read_text() == ""


def test_accept_new_takes_another_server_than_that_on_port_22(sshd: Server, tmp_path: Path) -> None:
    others = f"127.0.0.1 {public(keygen(tmp_path / 'other'))}\n"
    settings = sshd.with_known(others, host_key_policy="accept-new")
    enter(sshd, settings)
    assert sshd.name in settings.known_hosts[0].read_text()


def test_key_whose_line_is_cut_by_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "known"
    path.write_text("db ssh-ed25519 AAAA\n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:20]))
    with pytest.raises(OSError, match="No space left"):
        known_hosts.add(path, "web1", Key("ssh-ed25519", b"k" * 51), hashed=False)
    assert path.read_text() == "db ssh-ed25519 AAAA\n"


def test_key_goes_into_the_file_that_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "known"
    path.write_text("db ssh-ed25519 AAAA\n")
    lock = fcntl.flock

    def replaced_meanwhile(file: int, kind: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        (tmp_path / "new").write_text("")
        (tmp_path / "new").replace(path)  # as ssh-keygen -R does
        lock(file, kind)

    monkeypatch.setattr(fcntl, "flock", replaced_meanwhile)
    key = Key("ssh-ed25519", b"k" * 51)
    assert known_hosts.add(path, "web1", key, hashed=False).keys == (key,)
    assert path.read_text().startswith("web1 ")


def test_accept_new_that_cannot_save_says_so(sshd: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = replace(
        sshd.settings, known_hosts=(tmp_path / "file" / "known",), host_key_policy="accept-new"
    )
    assert "could not be saved" in refusal(sshd, settings)


def test_hashed_names_are_found(sshd: Server) -> None:
    settings = sshd.with_known(sshd.known())
    path = settings.known_hosts[0]
    subprocess.run(["ssh-keygen", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "127.0.0.1" not in path.read_text()
    enter(sshd, settings)


def test_name_without_port_counts_as_openssh_counts_it(sshd: Server) -> None:
    key = public(sshd.host_keys["ed25519"])
    enter(sshd, sshd.with_known(f"127.0.0.1 {key}\n"))


def test_other_server_on_port_22_of_the_host_is_unknown_not_changed(
    sshd: Server, tmp_path: Path
) -> None:
    other = keygen(tmp_path / "other")
    message = refusal(sshd, sshd.with_known(f"127.0.0.1 {public(other)}\n"))
    assert "not known" in message


@pytest.mark.parametrize("names", ["*", "[127.0.0.*]:*", "other,[127.0.0.1]:{port}"])
def test_patterns_and_lists_of_names_are_understood(sshd: Server, names: str) -> None:
    key = public(sshd.host_keys["ed25519"])
    enter(sshd, sshd.with_known(f"{names.format(port=sshd.port)} {key}\n"))


def test_negated_pattern_is_honoured(sshd: Server) -> None:
    key = public(sshd.host_keys["ed25519"])
    refusal(sshd, sshd.with_known(f"*,![127.0.0.1]:{sshd.port},!127.0.0.1 {key}\n"))


def test_revoked_key_is_refused_even_where_it_is_known(sshd: Server) -> None:
    key = public(sshd.host_keys["ed25519"])
    message = refusal(sshd, sshd.with_known(f"{sshd.known('ed25519')}@revoked * {key}\n"))
    assert "revoked" in message


def test_revoked_key_is_refused_under_accept_new(sshd: Server) -> None:
    key = public(sshd.host_keys["ed25519"])
    settings = sshd.with_known(f"@revoked * {key}\n", host_key_policy="accept-new")
    assert "revoked" in refusal(sshd, settings)


@pytest.mark.parametrize("word", ["no", "off", "accept-new"])
def test_strict_host_key_checking_no_does_not_turn_verification_off(
    sshd: Server, word: str
) -> None:
    message = refusal(sshd, sshd.with_known(""), ssh_args=f"-o StrictHostKeyChecking={word}")
    assert "is ignored" in message


def test_known_hosts_of_ssh_arguments_and_configuration_are_read(
    sshd: Server, tmp_path: Path
) -> None:
    mine, everyones = tmp_path / "mine", tmp_path / "everyones"
    mine.write_text("")
    everyones.write_text(sshd.known())
    settings = replace(sshd.settings, known_hosts=())
    enter(
        sshd, settings, ssh_args=f"-o UserKnownHostsFile={mine} -o GlobalKnownHostsFile={everyones}"
    )
    config = tmp_path / "config"
    config.write_text(f"UserKnownHostsFile {tmp_path}/absent {everyones}\n")
    enter(sshd, replace(settings, ssh_config=config))


def test_garbage_in_known_hosts_is_stepped_over(sshd: Server) -> None:
    garbage = "\x00\xff\n@marker\nhost\nhost ssh-rsa !!!notbase64\n|1|broken ssh-ed25519 AAAA\n"
    enter(sshd, sshd.with_known(garbage + sshd.known()))
