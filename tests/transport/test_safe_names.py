r"""Names that reach a shell, an argv or known_hosts: what OpenSSH refuses is refused, before."""

from __future__ import annotations

import shutil
import string
import subprocess
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.model.target import Target
from ipvs_audit.transport import TransportError, safe_names
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.settings import Settings
from ipvs_audit.transport.ssh.route import find_route

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.transport.ssh.hop import Hop

#: ssh.c of OpenSSH 9.6: valid_hostname and valid_ruser.
NOT_IN_HOSTS = "'`\"$\\;&<>|(){}, \t\n\x01\x1b\x7f"
NOT_IN_USERS = "'`\";&<>|(){}\t\n\x01\x1b\x7f"


def route(folder: Path, config: str, **target: str) -> tuple[Hop, ...]:
    path = folder / "config"
    path.write_text(config)
    return find_route(Target("t", **{"address": "web1", **target}), Settings(ssh_config=path))  # type: ignore[arg-type]


def refusal(folder: Path, config: str, **target: str) -> str:
    with pytest.raises(TransportError) as caught:
        route(folder, config, **target)
    assert caught.value.kind == "configuration"
    assert caught.value.message.isprintable()
    return caught.value.message


@pytest.mark.parametrize("character", NOT_IN_HOSTS)
def test_host_names_that_openssh_refuses_are_refused(character: str, tmp_path: Path) -> None:
    assert "ansible_host" in refusal(tmp_path, "", address=f"web{character}1")


@pytest.mark.parametrize(
    "name", ["-oProxyCommand=x", "web*", "web?", "!web1", "@revoked", "#web1", "[db]:2222"]
)
def test_options_and_patterns_are_no_host_names(name: str, tmp_path: Path) -> None:
    refusal(tmp_path, "", address=name)


@pytest.mark.parametrize("character", NOT_IN_USERS)
def test_user_names_that_openssh_refuses_are_refused(character: str, tmp_path: Path) -> None:
    assert "ansible_user" in refusal(tmp_path, "", user=f"me{character}x")


@pytest.mark.parametrize("user", ["-l", "me -o", "me\\"])
def test_options_are_no_user_names(user: str) -> None:
    with pytest.raises(TransportError):
        safe_names.refuse_user_name("t", user)


@pytest.mark.parametrize("user", [r"CORP\jdoe", "John Doe", "web$", "me@corp.example", "jörg"])
def test_users_of_directories_log_in(user: str) -> None:
    safe_names.refuse_user_name("t", user)


@pytest.mark.parametrize(
    "name",
    ["web1", "web_1.example.com", "10.0.0.1", "fe80::1%eth0", "prod/web+1", "bücher.example"],
)
def test_plain_names_and_addresses_are_taken(name: str, tmp_path: Path) -> None:
    assert route(tmp_path, "ProxyCommand relay %p\n", address=name)[-1].host == name


@pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")
def test_what_this_machines_ssh_refuses_is_refused() -> None:
    def takes(*words: str) -> bool:
        ran = subprocess.run(["ssh", "-F", "none", "-G", *words], capture_output=True, check=False)
        return ran.returncode == 0

    if takes("--", "a$b"):
        pytest.skip("an ssh from before 9.6")
    for character in f"{string.punctuation} \t\n\x01":
        if not takes("--", f"a{character}b"):
            with pytest.raises(TransportError):
                safe_names.refuse_host_name("t", "host name", f"a{character}b")
        if not takes("-l", f"a{character}b", "web1"):
            with pytest.raises(TransportError):
                safe_names.refuse_user_name("t", f"a{character}b")


@pytest.mark.parametrize(
    "config",
    [
        "HostName $(id>mark)\n",
        "HostKeyAlias 'a * ssh-ed25519 AAAA'\n",
        "HostKeyAlias *\n",
        "User `id>mark`\n",
        "ProxyJump $(id)\n",
        "ProxyJump `id`@bastion\n",
        "HostName %h.$(id)\n",
        "UserKnownHostsFile ~/.ssh/known/%h\nHostName ../../x\n",
    ],
)
def test_ssh_config_is_held_to_the_same(config: str, tmp_path: Path) -> None:
    refusal(tmp_path, config)


@pytest.mark.parametrize("user", ["$SSH_TOKEN", r"CORP\jdoe", "John Doe", "~root", "me*"])
def test_user_in_a_proxy_command_is_one_plain_word(user: str, tmp_path: Path) -> None:
    assert "%r" in refusal(tmp_path, "ProxyCommand relay %r %h\n", user=user)
    route(tmp_path, "ProxyCommand relay %h %%r\n", user=user)


def test_a_port_may_stand_in_an_alias_and_a_zone_in_an_address(tmp_path: Path) -> None:
    hop = route(tmp_path, "HostKeyAlias [cluster]:2222\n", address="fe80::1%hvs0")[-1]
    assert (hop.host, hop.host_key_name) == ("fe80::1%hvs0", "[cluster]:2222")


@pytest.mark.parametrize("args", ["-o 'ProxyCommand=sshpass -p hunter2", "-o =hunter2"])
def test_ssh_arguments_that_are_wrong_are_not_quoted(args: str, tmp_path: Path) -> None:
    with pytest.raises(TransportError) as caught:
        find_route(Target("t", address="web1", ssh_args=args), Settings(ssh_config=tmp_path))
    assert "hunter2" not in caught.value.message


def test_host_name_with_a_comma_adds_no_jump_host(tmp_path: Path) -> None:
    refusal(tmp_path, "Host evil*\n  ProxyJump %h\n", address="evil.example,bastion")


@pytest.mark.parametrize(
    "name", ["$(touch${IFS}mark)", "`touch${IFS}mark`", ";touch${IFS}mark", "x|touch${IFS}mark"]
)
def test_no_proxy_command_runs_for_such_a_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config"
    config.write_text("ProxyCommand echo %n %h >ran\n")
    for target in (Target(name, address=name), Target("t", address="web1", user=name)):
        with pytest.raises(TransportError, match="could run a command"):
            open_connection(target, Settings(ssh_config=config))
    assert not (tmp_path / "mark").exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("program", ["docker", "podman", "kubectl", "openshift", "lxc", "chroot"])
@pytest.mark.parametrize(
    "address", ["-x", "me@-x", "$(touch${IFS}mark)", "a;b", "a&b", "pod?kubeconfig=/tmp/theirs"]
)
def test_words_for_other_programs_are_plain(program: str, address: str) -> None:
    with pytest.raises(TransportError, match="holds") as caught:
        open_connection(Target("t", connection=program, address=address), Settings())
    assert caught.value.kind == "configuration"


def test_user_for_docker_is_a_plain_word() -> None:
    target = Target("t", connection="docker", address="web", user="$(id)")
    with pytest.raises(TransportError, match="holds"):
        open_connection(target, Settings())
