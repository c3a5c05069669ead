"""ssh_config(5): our reader says what ``ssh -G`` says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipvs_audit.model.target import Target
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.settings import Settings
from ipvs_audit.transport.ssh import ssh_args, ssh_config
from ipvs_audit.transport.ssh.expansion import expand
from ipvs_audit.transport.ssh.route import find_route
from ipvs_audit.transport.ssh.ssh_config_lookup import look_up

if TYPE_CHECKING:
    from testinfra.host import Host

    from ipvs_audit.transport.ssh.hop import Hop

needs_ssh = pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")

CONFIGS = {
    "first value wins": "Host web*\n  User one\nHost *\n  User two\n  Port 2200\n",
    "negation": "Host * !web1\n  User other\nHost *\n  User mine\n",
    "question mark": "Host web?\n  Port 23\n",
    "equals and quotes": 'Host = web1\n  User="some one"\n  Port = 2222\n',
    "comment at the end": "Host web1 # the first\n  Port 24 # not 22\n",
    "host name pattern": "Host web1\n  HostName %h.example.com\n",
    "match host sees HostName": "Host web1\n  HostName db.net\nMatch host db.net\n  User db\n",
    "match originalhost": "Match originalhost web1\n  User orig\n",
    "match user": "Host web1\n  User root\nMatch user root\n  Port 26\n",
    "match negated": "Match !host other\n  Port 27\n",
    "match all": "Match all\n  Port 28\n",
    "match several": "Match host web* originalhost !web2,web1\n  Port 29\n",
    "match final": "Match final\n  Port 30\nHost web1\n  User early\n",
    "match final names no host": "Match final\n  HostName other\n  Port 31\n",
    "identities add up": "Host web1\n  IdentityFile ~/.ssh/a\nHost *\n  IdentityFile ~/.ssh/b\n",
    "jump": "Host web1\n  ProxyJump me@bastion:2222,second\n",
    "jump before command": "ProxyJump bastion\nProxyCommand nc %h %p\n",
    "command before jump": "ProxyCommand nc %h %p\nProxyJump bastion\n",
    "jump none": "Host web1\n  ProxyJump none\nHost *\n  ProxyJump bastion\n",
    "alias": "HostKeyAlias cluster\nIdentitiesOnly yes\n",
    "known hosts files": "UserKnownHostsFile /a /b\nGlobalKnownHostsFile /c\n",
    "family": "AddressFamily inet6\nConnectTimeout 7\n",
    "block after match": "Match host nothing\n  User no\nHost web1\n  User yes\n",
    "no such host": "Host other\n  User no\n",
}
KEYS = ("hostname", "user", "port", "proxyjump", "hostkeyalias", "identitiesonly",
        "connecttimeout", "addressfamily")  # fmt: skip


def by_ssh(text: str, path: Path, host: Host = "web1", *arguments: Any) -> dict[str, list[str]]:
    path.write_text(text)
    told = subprocess.run(
        ["ssh", *arguments, "-G", "-F", str(path), host], capture_output=True, text=True, check=True
    )
    found = {}
    for line in told.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


def route(path: Path, address: str = "web1", args: str = "") -> tuple[Hop, ...]:
    target = Target("t", address=address, ssh_args=args)
    return find_route(target, Settings(ssh_config=path))


@needs_ssh
@pytest.mark.parametrize("name", CONFIGS)
def test_reads_as_openssh_does(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    theirs = by_ssh(CONFIGS[name], path)
    hop = route(path)[-1]
    assert hop.host == theirs["hostname"][0]
    assert hop.user == theirs["user"][0]
    assert str(hop.port) == theirs["port"][0]
    assert (hop.proxy_command or "none") == expand(
        theirs.get("proxycommand", ["none"])[0], {"h": hop.host, "p": str(hop.port)}
    )
    jumps = theirs.get("proxyjump", ["none"])[0]
    assert len(route(path)) == 1 + (0 if jumps == "none" else len(jumps.split(",")))
    if "identityfile" in CONFIGS[name].lower():
        assert [str(p) for p in hop.key_files] == [
            str(Path(p).expanduser()) for p in theirs["identityfile"]
        ]
    if "knownhosts" in CONFIGS[name].lower():
        assert [str(p) for p in hop.known_hosts] == (
            theirs["userknownhostsfile"][0].split() + theirs["globalknownhostsfile"][0].split()
        )
    assert hop.host_key_name_without_port == theirs.get("hostkeyalias", [hop.host])[0]
    assert hop.identities_only is (theirs["identitiesonly"][0] == "yes")


HOSTS = st.sampled_from(["web1", "web2", "db", "web*", "*", "?eb1", "!web1", "!web*", "w*1"])
BLOCK = st.one_of(
    st.lists(HOSTS, min_size=1, max_size=3).map(lambda names: f"Host {' '.join(names)}"),
    st.tuples(
        st.sampled_from(["host", "originalhost", "!host", "user", "!user"]),
        st.lists(HOSTS, min_size=1, max_size=2),
    ).map(lambda pair: f"Match {pair[0]} {','.join(pair[1])}"),
    st.just("Match all"),
)
LINE = st.one_of(
    st.sampled_from(["User web1", "User db", "HostName db", "HostName web2"]),
    st.integers(1, 9).map(lambda number: f"Port {number}"),
)
TEXT = st.lists(st.one_of(BLOCK, LINE), max_size=12).map("\n".join)


@needs_ssh
@given(text=TEXT)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_blocks_read_as_openssh_reads_them(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    theirs = by_ssh(text, path)
    os.utime(path, ns=(0, hash(text) & 0xFFFFFFFFFFFF))
    hop = route(path)[-1]
    assert [hop.host, hop.user, str(hop.port)] == [
        theirs[key][0] for key in ("hostname", "user", "port")
    ]


@given(text=st.text(max_size=300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_or_refused_by_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8", errors="replace")
    os.utime(path, ns=(0, hash(text) & 0xFFFFFFFFFFFF))
    refused = None
    try:
        look_up(ssh_config.read([path]), "web1")
    except TransportError as error:
        refused = error
    assert refused is None or str(path) in refused.message


def test_includes_are_read_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("Host web1\n  User included\nHost other\n  Port 1\n")
    (tmp_path / "config").write_text(
        f"Host web*\n  Include {tmp_path}/*.conf\n  Port 99\nHost web1\n  User late\n"
    )
    hop = route(tmp_path / "config")[-1]
    assert (hop.user, hop.port) == ("included", 99)


def test_include_inside_a_block_that_does_not_match_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("Host web1\n  Port 1\n")
    (tmp_path / "config").write_text(f"Host other\n  Include {tmp_path}/a.conf\n")
    assert route(tmp_path / "config")[-1].port == 22


def test_what_only_openssh_can_answer_is_told_where_it_may_concern_the_host(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Match host other exec true\n  Port 1\n"
        "Match originalhost web1 !exec true\n  Port 2\nMatch localnetwork ::/0\n  Port 3\n"
    )
    read = ssh_config.read([config])
    assert look_up(read, "web1").undecided == ("Match exec", "Match localnetwork")
    assert look_up(read, "web2").undecided == ("Match localnetwork",)
    config.write_text("Match host other exec true\n  Port 11\nHost *\n  Port 2\n")
    assert look_up(ssh_config.read([config]), "web1").undecided == ()


def test_match_exec_runs_nothing_and_never_matches(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "config").write_text(
        f'Match exec "touch {mark}"\n  Port 1\nMatch !exec "touch {mark}"\n  Port 2\n'
    )
    assert route(tmp_path / "config")[-1].port == 22
    assert not mark.exists()


def test_inventory_comes_before_arguments_and_arguments_before_configuration(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config"
    path.write_text("User config\nPort 1\nIdentityFile /c\n")
    target = Target("t", address="web1", port=3, key_file="/k e y",
                    ssh_args="-o Port=2 -l arguments -i /a")  # fmt: skip
    hop = find_route(target, Settings(ssh_config=path))[-1]
    assert (hop.port, hop.user) == (3, "arguments")
    assert [str(key) for key in hop.key_files] == ["/k e y", "/a", "/c"]


def test_file_of_arguments_replaces_the_usual_one(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("Port 77\n")
    (tmp_path / "usual").write_text("Port 1\n")
    assert route(tmp_path / "usual", args=f"-F {tmp_path}/mine")[-1].port == 77
    assert route(tmp_path / "usual", args="-F none")[-1].port == 22
    with pytest.raises(TransportError, match="no such file"):
        route(tmp_path / "usual", args=f"-F {tmp_path}/absent")


def test_jump_hosts_have_their_own_settings_and_not_the_targets(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "Host bastion\n  HostName 10.0.0.1\n  User jump\n  ProxyJump outer\n"
        "Host *\n  HostKeyAlias %n\n"
    )
    hops = route(tmp_path / "config", args="-J bastion,[fe80::1]:2222 -l me -p 99 -i /only/mine")
    assert [(hop.host, hop.port) for hop in hops] == [
        ("outer", 22), ("10.0.0.1", 22), ("fe80::1", 2222), ("web1", 99),
    ]  # fmt: skip
    assert hops[1].user == "jump"
    assert hops[3].user == "me"
    assert all(hop.password is None for hop in hops[:-1])
    assert "/only/mine" not in [str(key) for hop in hops[:-1] for key in hop.key_files]


def test_jump_host_that_matches_its_own_rule_does_not_jump_through_itself(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host *\n  ProxyJump bastion\n")
    assert [hop.host for hop in route(tmp_path / "config")] == ["bastion", "web1"]


def test_circle_of_jump_hosts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    with pytest.raises(TransportError, match="ProxyJump is circular"):
        route(tmp_path / "config", address="a")


@pytest.mark.parametrize(
    ("arguments", "settings_read"),
    [
        ("-J a,b", {"proxyjump": ["a,b"]}),
        ("-p2222 -lroot", {"port": ["2222"], "user": ["root"]}),
        ("-l 'John Doe' -i '/k#1 b'", {"user": ["John Doe"], "identityfile": ["/k#1 b"]}),
        ("-o Port=1 -o 'User me' -o IdentityFile = ", None),
        ("-oPort=1", {"port": ["1"]}),
        (r"-o 'User CORP\jdoe' -o User=a@root#corp@t", {"user": [r"CORP\jdoe", "a@root#corp@t"]}),
        ("-o 'User John Doe'", None),
        ("-o ControlMaster=auto -o ControlPersist=60s -C -q -4", {
            "controlmaster": ["auto"], "controlpersist": ["60s"], "addressfamily": ["inet"]}),
        ("-o 'RekeyLimit=1G 1h' -o ChallengeResponseAuthentication=no", {
            "rekeylimit": ["1G"], "kbdinteractiveauthentication": ["no"]}),
        ("-o RemoteCommand=none -o SessionType=default", {
            "remotecommand": ["none"], "sessiontype": ["default"]}),
        ("-L 8080:db:80 -R1:b:2 -D 1080 -g -f -M -S none -E /dev/null -e none", {}),
        ("-B eth0 -I /lib/p11.so -P web -c aes128-ctr -m umac-64@openssh.com -K", {
            "bindinterface": ["eth0"], "pkcs11provider": ["/lib/p11.so"], "tag": ["web"],
            "ciphers": ["aes128-ctr"], "macs": ["umac-64@openssh.com"],
            "gssapiauthentication": ["yes"]}),
        ("-o RemoteCommand=reboot", None),
        ("-W db:22", None),
        ("-O exit", None),
        ("-G", None),
        ("-o Prot=22", None),
        ("-o 'User \"me'", None),
        ("-vvv", {}),
        ("-o 'unclosed", None),
        ("-w 1", None),
        ("-o Tunnel=yes", None),
    ],
)  # fmt: skip
def test_arguments(arguments: str, settings_read: Any) -> None:
    if settings_read is None:
        with pytest.raises(TransportError) as caught:
            ssh_args.parse(arguments)
        assert caught.value.kind == "configuration"
    else:
        found: dict[str, list[str]] = {}
        for keyword, words in ssh_args.parse(arguments).settings:
            found.setdefault(keyword.lower(), []).append(words[0])
        assert found == settings_read


@given(text=st.text(max_size=80))
def test_any_arguments_are_read_or_refused(text: str) -> None:
    refused = None
    try:
        ssh_args.parse(text)
    except TransportError as error:
        refused = error
    assert refused is None or refused.kind == "configuration"


def test_included_file_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    included = tmp_path / "a.conf"
    included.write_text("Port 1\n")
    included.chmod(0o666)
    (tmp_path / "config").write_text(f"Include {included}\n")
    with pytest.raises(TransportError, match="chmod go-w"):
        route(tmp_path / "config")
    included.chmod(0o644)
    assert route(tmp_path / "config")[-1].port == 1


def test_variables_of_the_environment_count_in_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(
        "IdentityFile ${PLACE}/%h\nCertificateFile ${PLACE}/c\nIdentityAgent ${PLACE}/agent\n"
        "UserKnownHostsFile ${PLACE}/known\nGlobalKnownHostsFile none\n"
        "ProxyCommand nc ${PLACE} %h\n"
    )
    monkeypatch.setenv("PLACE", "/p%h")
    hop = route(tmp_path / "config")[-1]
    assert [str(path) for path in (*hop.key_files, *hop.certificates, *hop.known_hosts)] == [
        "/p%h/web1", "/p%h/c", "/p%h/known",
    ]  # fmt: skip
    assert hop.agent == "/p%h/agent"
    assert hop.proxy_command == "nc ${PLACE} web1"  # the shell's to replace
    monkeypatch.delenv("PLACE")
    with pytest.raises(TransportError, match="set the environment variable PLACE"):
        route(tmp_path / "config")


def test_agent_by_a_variable_that_is_not_set_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("IdentityAgent $OTHER_AGENT\n")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/mine")
    monkeypatch.delenv("OTHER_AGENT", raising=False)
    assert route(tmp_path / "config")[-1].agent is None
    monkeypatch.setenv("OTHER_AGENT", "/other")
    assert route(tmp_path / "config")[-1].agent == "/other"
