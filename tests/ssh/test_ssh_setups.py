"""What ``ssh`` reaches by its ssh_config, ``auto`` reaches: the same server, as the same user.

Each setup is tried by ``ssh`` itself and by the audit. Those that the audit refuses on purpose say
so. The servers are real, and shared.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from openssh import ME, Server, Start, keygen, public, wait_until

from ipvs_audit.model.target import Target
from ipvs_audit.transport import Limits, TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.openssh.connection import OpensshConnection
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")

HERE = Path(__file__).parent
#: Of the shared server; a setup's own lines stand before it.
BOX = "Host box*\n HostName 127.0.0.1\n Port {port}\n User {me}\n IdentityFile {key}\n"
ENDS = "Host *\n IdentityAgent none\n UserKnownHostsFile {known}\n GlobalKnownHostsFile /dev/null\n"
ASK = "echo reached $(id -un) ${SSH_CONNECTION##* }"


@dataclass(frozen=True)
class Setup:
    """One way to reach a host.

    Attributes:
        config: ssh_config, with the names of :class:`Place` in braces.
        by: who reaches it: ``paramiko``, ``openssh``, ``nobody`` (nor does ssh), or ``refused``.
        server: lines of sshd_config; none for the shared server.
        args: ``ansible_ssh_common_args``.
        host: as the user types it.
        words: of the refusal.
    """

    config: str = BOX
    by: str = "paramiko"
    server: tuple[str, ...] = ()
    args: str = ""
    host: str = "box"
    words: str = ""
    environment: dict[str, str] = field(default_factory=dict)


JUMP = "Host jump*\n HostName 127.0.0.1\n Port {jump}\n User {me}\n IdentityFile {key}\n"
CA = ("TrustedUserCAKeys {room}/ca.pub", "AuthorizedKeysFile none")
HOST_CA = ("HostKey {room}/certified", "HostCertificate {room}/certified-cert.pub",
           "HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519")  # fmt: skip
OTHER_KEY = BOX.replace("{key}", "{room}/OTHER")
NO_KEY = BOX.replace(" IdentityFile {key}\n", "")


def key(name: str) -> str:
    return BOX.replace("{key}", name)


SETUPS = {
    # Blocks and names.
    "plain": Setup(),
    "host pattern": Setup("Host b?x !boxes\n" + BOX.partition("\n")[2]),
    "host negated": Setup("Host * !box\n Port 1\n" + BOX),
    "equals and quotes": Setup('Host = "box"\n HostName="127.0.0.1"\n Port = {port}\n' + BOX),
    "keywords in capitals": Setup("HOST BOX box\n HOSTNAME 127.0.0.1\n PORT {port}\n" + BOX),
    "include": Setup("Include {room}/box.conf\n"),
    "include by pattern": Setup("Include {room}/bo*.conf\n"),
    "include within a block": Setup("Host box\n Include {room}/port.conf\n" + BOX),
    "include in another host's block": Setup("Host other\n Include {room}/wrong.conf\n" + BOX),
    "match host": Setup(BOX.replace(" Port {port}\n", "") + "Match host 127.*\n Port {port}\n"),
    "match originalhost": Setup("Match originalhost box\n Port {port}\n" + BOX),
    "match user": Setup("Match user nobody-else\n Port 1\n" + BOX),
    "match localuser": Setup("Match localuser {me}\n Port {port}\n" + BOX),
    "match all": Setup(BOX + "Match all\n Port 1\n"),
    "match negated": Setup("Match !originalhost box\n Port 1\n" + BOX),
    "match final": Setup(BOX + "Match final\n Port 1\n"),
    "match exec": Setup("Match exec true\n Port {port}\n" + BOX, "openssh"),
    "match exec false": Setup("Match exec false\n Port 1\n" + BOX, "openssh"),
    "match not exec": Setup("Match !exec true\n Port 1\n" + BOX, "openssh"),
    "match exec of another host": Setup("Match originalhost x exec true\n Port 1\n" + BOX),
    "canonical name": Setup("CanonicalizeHostname always\n" + BOX, "openssh"),
    "hostname with a token": Setup("Host 0.0.1\n HostName 127.%h\n" + BOX.replace("box*", "0.0.1"),
                                   host="0.0.1"),
    "match final names another host": Setup(
        "Match final\n HostName box.invalid\nHost *\n Port {port}\n User {me}\n"
        " IdentityFile {key}\n",
        host="127.0.0.1",
    ),
    "user before the host": Setup("Host box\n User nobody\n" + BOX, host="{me}@box"),
    "user of another account's environment": Setup(
        BOX.replace(" User {me}\n", ""), environment={"USER": "nobody", "LOGNAME": "nobody"}
    ),
    "URI": Setup("Host box\n User nobody\n Port 1\n" + BOX, host="ssh://{me}@box:{port}"),
    "address in another form": Setup(BOX.replace("HostName 127.0.0.1", "HostName 127.1")),
    "user with a comment": Setup("Host box\n User {me} # not nobody\n" + BOX),
    "unknown keyword that is allowed": Setup("IgnoreUnknown UseKeychain\nUseKeychain yes\n" + BOX),
    # Host keys.
    "alias": Setup("HostKeyAlias cluster\n" + BOX),
    "hashed names": Setup("UserKnownHostsFile {room}/hashed\n" + BOX),
    "pattern in known_hosts": Setup("UserKnownHostsFile {room}/pattern\n" + BOX),
    "several known_hosts": Setup("UserKnownHostsFile {room}/none {known}\n" + BOX),
    "everybody's known_hosts": Setup(
        "UserKnownHostsFile none\nGlobalKnownHostsFile {known}\n" + BOX
    ),
    "token in known_hosts": Setup("UserKnownHostsFile {room}/known-%p\n" + BOX),
    "host certificate": Setup("UserKnownHostsFile {room}/authority\n" + BOX, "paramiko", HOST_CA),
    "key of no authority": Setup("UserKnownHostsFile {room}/authority\n" + BOX, "nobody"),
    "unknown key": Setup("UserKnownHostsFile {room}/none\n" + BOX, "nobody", words="not known"),
    "revoked key": Setup("UserKnownHostsFile {room}/revoked\n" + BOX, "nobody", words="revoked"),
    "changed key": Setup("UserKnownHostsFile {room}/changed\n" + BOX, "nobody", words="CHANGED"),
    "known_hosts by a command": Setup(
        "UserKnownHostsFile none\nKnownHostsCommand /bin/cat {known}\n" + BOX, "openssh"
    ),
    "no checking": Setup(
        "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n" + BOX, "refused",
        words="not known",
    ),
    "no checking on loopback": Setup(
        "NoHostAuthenticationForLocalhost yes\nUserKnownHostsFile {room}/none\n" + BOX, "refused",
        words="not known",
    ),
    "ecdsa host key": Setup(BOX, "paramiko", ("HostKeyAlgorithms ecdsa-sha2-nistp256",)),
    "rsa host key": Setup(BOX, "paramiko", ("HostKeyAlgorithms rsa-sha2-512",)),
    # Logins.
    "rsa key": Setup(key("{room}/user-rsa")),
    "ecdsa key": Setup(key("{room}/user-ecdsa")),
    "key in PEM": Setup(key("{room}/user-pem")),
    "second key": Setup("IdentityFile {room}/stranger\n" + BOX),
    "only named keys": Setup("IdentitiesOnly yes\n" + BOX),
    "key that is missing": Setup(key("{room}/none"), "nobody"),
    "key of a stranger": Setup(key("{room}/stranger"), "nobody"),
    "key with a blank in its name": Setup(key('"{room}/a key"')),
    "key with a hash in its name": Setup(key("{room}/id#1")),
    "key by tokens": Setup(key("{room}/user-%r-%p")),
    "key by a variable": Setup(key("${{ROOM}}/user-rsa"), environment={"ROOM": "{room}"}),
    "agent": Setup("IdentityAgent {agent}\n" + NO_KEY),
    "agent by SSH_AUTH_SOCK": Setup(
        "IdentityAgent SSH_AUTH_SOCK\n" + NO_KEY, environment={"SSH_AUTH_SOCK": "{agent}"}
    ),
    "agent by a variable": Setup(
        "IdentityAgent $AGENT\n" + NO_KEY, environment={"AGENT": "{agent}"}
    ),
    "encrypted key that the agent has": Setup("IdentityAgent {agent}\n" + key("{room}/locked")),
    "encrypted key": Setup(key("{room}/locked"), "nobody"),
    "user certificate beside the key": Setup(key("{room}/signed"), "either", CA),
    "user certificate elsewhere": Setup(
        "CertificateFile {room}/elsewhere-cert.pub\n" + key("{room}/unsigned"), "either", CA
    ),
    "no user certificate": Setup(BOX, "nobody", CA),
    "PKCS#11 provider": Setup("PKCS11Provider {room}/none.so\n" + BOX, "openssh"),
    "Kerberos on, without a ticket": Setup("GSSAPIAuthentication yes\n" + BOX,
                                           environment={"KRB5CCNAME": "FILE:{room}/none"}),
    "keys only": Setup("PreferredAuthentications publickey\n" + BOX),
    "keys off": Setup("PubkeyAuthentication no\n" + BOX, "nobody"),
    # On the way.
    "jump host": Setup("Host box\n ProxyJump jump\n" + JUMP + BOX),
    "two jump hosts": Setup("Host box\n ProxyJump jump,jump2\n" + JUMP + BOX),
    "jump host's own jump host": Setup(
        "Host box\n ProxyJump jump2\nHost jump2\n ProxyJump jump\n" + JUMP + BOX
    ),
    "jump host by user and port": Setup(
        "IdentityFile {key}\nHost box\n ProxyJump {me}@127.0.0.1:{jump}\n" + BOX,
        server=("HostKeyAlgorithms rsa-sha2-512",),
    ),
    "jump host by URI": Setup("Host box\n ProxyJump ssh://{me}@jump:{jump}\n" + JUMP + BOX),
    "jump host off": Setup("Host box\n ProxyJump none\nHost *\n ProxyJump nowhere\n" + BOX),
    "jump host by argument": Setup(JUMP + BOX, args="-J jump"),
    "unknown jump host": Setup("Host box\n ProxyJump nowhere.invalid\n" + BOX, "nobody"),
    "proxy command": Setup("ProxyCommand {python} {here}/relay.py x %h %p\n" + BOX),
    "proxy command of ssh": Setup("Host box\n ProxyCommand ssh -F {config} -W %h:%p jump\n"
                                  + JUMP + BOX),
    "proxy command for one's own shell": Setup(
        "ProxyCommand {python} {here}/relay.py x %h %p 2> >(cat >&2)\n" + BOX,
        environment={"SHELL": "/bin/bash"},
    ),
    "proxy command off": Setup("Host box\n ProxyCommand none\nHost *\n ProxyCommand false\n" + BOX),
    "proxy command that fails": Setup("ProxyCommand false\n" + BOX, "nobody"),
    "proxy command that hands over a socket": Setup(
        "ProxyUseFdpass yes\nProxyCommand {python} {here}/hand_over.py %h %p\n" + BOX, "openssh"
    ),
    "address family": Setup("AddressFamily inet\n" + BOX),
    "own address": Setup("BindAddress 127.0.0.1\n" + BOX),
    "interface": Setup("BindInterface lo\n" + BOX, "openssh"),
    # Algorithms.
    "server with chacha20 only": Setup(BOX, "openssh", ("Ciphers chacha20-poly1305@openssh.com",)),
    "server with umac only": Setup(
        BOX, "openssh", ("Ciphers aes128-ctr", "MACs umac-128-etm@openssh.com")
    ),
    "server with sntrup761 only": Setup(
        BOX, "openssh", ("KexAlgorithms sntrup761x25519-sha512@openssh.com",)
    ),
    "server with group18 only": Setup(
        BOX, "either", ("KexAlgorithms diffie-hellman-group18-sha512",)
    ),
    "server with group exchange only": Setup(
        BOX, "paramiko", ("KexAlgorithms diffie-hellman-group-exchange-sha256",)
    ),
    "server with aes256-gcm only": Setup(BOX, "paramiko", ("Ciphers aes256-gcm@openssh.com",)),
    "server with etm only": Setup(
        BOX, "paramiko", ("Ciphers aes256-ctr", "MACs hmac-sha2-512-etm@openssh.com")
    ),
    "server with CBC, allowed": Setup(
        "Ciphers +aes256-cbc\n" + BOX, "openssh", ("Ciphers aes256-cbc",)
    ),
    "server with CBC, not allowed": Setup(BOX, "nobody", ("Ciphers aes256-cbc",)),
    "cipher of ours": Setup("Ciphers chacha20-poly1305@openssh.com\n" + BOX, "openssh"),
    "key exchange of ours": Setup(
        "KexAlgorithms sntrup761x25519-sha512@openssh.com\n" + BOX, "openssh"
    ),
    "algorithms added": Setup("Ciphers +aes256-cbc\nMACs ^hmac-sha2-256\n" + BOX),
    # What changes nothing.
    "compression": Setup("Compression yes\n" + BOX),
    "connection sharing": Setup(
        "ControlMaster auto\nControlPath {room}/cm\nControlPersist 1\n" + BOX
    ),
    "terminal": Setup("RequestTTY no\nEscapeChar none\n" + BOX),
    "environment": Setup("SendEnv LANG\nSetEnv LC_A=b\n" + BOX),
    "keepalive": Setup("ServerAliveInterval 15\nServerAliveCountMax 3\nTCPKeepAlive no\n" + BOX),
    "forwarding": Setup("ForwardAgent yes\nLocalForward {room}/forward 127.0.0.1:1\n" + BOX),
    "log level": Setup("LogLevel QUIET\n" + BOX),
    "rekeying": Setup("RekeyLimit 1G 1h\n" + BOX),
    # Arguments.
    "options as arguments": Setup(
        BOX.replace("{port}", "1").replace("{me}", "nobody"), args="-p {port} -l {me} -4 -C"
    ),
    "-o as arguments": Setup(
        "Host nothing\n",
        args="-oHostName=127.0.0.1 -o 'Port {port}' -o User={me} -o IdentityFile={key}",
    ),
    "-i as argument": Setup(NO_KEY, args="-i {key}"),
    "-F as argument": Setup("Host box\n Port 1\n" + BOX, args="-F {room}/whole.conf"),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where the setups' files are, and the servers that they share."""

    room: Path
    sshd: Server
    agent: Path
    server: Callable[[tuple[str, ...]], Server]

    def words(self, server: Server, config: Path) -> dict[str, str]:
        return {
            "room": str(self.room),
            "port": str(server.port),
            "jump": str(self.sshd.port),
            "me": ME,
            "key": str(server.user_key),
            "known": str(self.room / "known"),
            "agent": str(self.agent),
            "python": sys.executable,
            "here": str(HERE),
            "config": str(config),
        }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, sshd: Server, start: Start) -> Iterator[Place]:
    room = tmp_path_factory.mktemp("setups")
    # The shared server takes all of these keys.
    taken = [sshd.user_key, keygen(room / "user-rsa", "rsa", "-b", "2048"),
             keygen(room / "user-ecdsa", "ecdsa"),
             keygen(room / "user-pem", "rsa", "-b", "2048", "-m", "PEM"),
             keygen(room / "locked", "ed25519", "-N", "a passphrase"), keygen(room / "agents"),
             keygen(room / "a key"), keygen(room / "id#1"),
             keygen(room / f"user-{ME}-{sshd.port}")]  # fmt: skip
    keygen(room / "stranger")
    authorized = sshd.folder / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text("".join(f"{public(each)}\n" for each in taken))
    _certify(room)
    _write_known_hosts(room, sshd)
    with contextlib.ExitStack() as stack:
        started: dict[tuple[str, ...], Server] = {}

        def server(lines: tuple[str, ...]) -> Server:
            """A server with these lines, started once."""
            if not lines:
                return sshd
            if lines not in started:
                made = stack.enter_context(start(*(each.format(room=room) for each in lines)))
                with (room / "known").open("a") as known:
                    known.write(made.known())
                started[lines] = made
            return started[lines]

        agent = _start_agent(room, stack)
        words = Place(room, sshd, agent, server).words(sshd, room / "whole.conf")
        (room / "box.conf").write_text(BOX.format(**words))
        (room / "port.conf").write_text(f"Port {sshd.port}\n")
        (room / "wrong.conf").write_text("Port 1\n")
        (room / "whole.conf").write_text((BOX + ENDS).format(**words))
        yield Place(room, sshd, agent, server)
    authorized.write_text(before)


def _certify(room: Path) -> None:
    """An authority; a host's key, and users' keys, that it has signed."""
    for name in ("ca", "certified", "signed", "unsigned"):
        keygen(room / name)
    shutil.copy(room / "unsigned.pub", room / "elsewhere.pub")
    sign = ("ssh-keygen", "-q", "-s", str(room / "ca"), "-I", "test")
    for options in (
        ("-h", "-n", "127.0.0.1", str(room / "certified.pub")),
        ("-n", ME, str(room / "signed.pub")),
        ("-n", ME, str(room / "elsewhere.pub")),
    ):
        subprocess.run([*sign, *options], check=True, capture_output=True)


def _write_known_hosts(room: Path, sshd: Server) -> None:
    mine, stranger = public(sshd.host_keys["ed25519"]), public(room / "stranger")
    lines = sshd.known()
    (room / "known").write_text(f"{lines}cluster {mine}\n")
    (room / f"known-{sshd.port}").write_text(lines)
    (room / "hashed").write_text(lines)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(room / "hashed")], check=True,
                   capture_output=True)  # fmt: skip
    (room / "pattern").write_text(f"[127.0.*]:{sshd.port} {mine}\n")
    (room / "authority").write_text(f"@cert-authority * {public(room / 'ca')}\n")
    (room / "revoked").write_text(
        f"{lines}" + "".join(f"@revoked * {public(each)}\n" for each in sshd.host_keys.values())
    )
    (room / "changed").write_text(f"{sshd.name} {stranger}\n")


def _start_agent(room: Path, stack: contextlib.ExitStack) -> Path:
    """An agent with the key ``agents`` and the one that is encrypted."""
    agent = room / "agent"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(agent)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    assert wait_until(agent.exists, 20)
    opened = room / "opened"
    shutil.copy(room / "locked", opened)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "a passphrase", "-N", "", "-f", str(opened)],
        check=True,
        capture_output=True,
    )
    subprocess.run(
        ["ssh-add", "-q", str(room / "agents"), str(opened)],
        check=True,
        env=os.environ | {"SSH_AUTH_SOCK": str(agent)},
    )
    return agent


@pytest.mark.parametrize("name", SETUPS)
def test_what_ssh_reaches_is_reached(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    setup = SETUPS[name]
    server = place.server(setup.server)
    config = tmp_path / "config"
    words = place.words(server, config)
    config.write_text(setup.config.format(**words) + ENDS.format(**words))
    for variable, value in setup.environment.items():
        monkeypatch.setenv(variable, value.format(**words))
    args = setup.args.format(**words)

    host = setup.host.format(**words)
    reached_by_ssh = _by_ssh(config, args, host)
    assert bool(reached_by_ssh) is (setup.by != "nobody"), "the setup itself is wrong"

    settings = Settings(limits=Limits(connect=60, deadline=90), ssh_config=config)
    target = Target("box", address=host, ssh_args=args)
    if setup.by in {"nobody", "refused"}:
        with pytest.raises(TransportError) as refused:
            open_connection(target, settings).close()
        assert setup.words in refused.value.message
        return
    connection = open_connection(target, settings)
    try:
        output = connection.run_script(ASK.encode(), timeout=60, max_output=1000)
    finally:
        connection.close()
    assert output.stdout.decode().strip() == reached_by_ssh
    if setup.by != "either":
        by = "openssh" if isinstance(connection, OpensshConnection) else "paramiko"
        assert by == setup.by


def _by_ssh(config: Path, args: str, host: str) -> str:
    """What the server said to ssh itself; empty where it was not reached."""
    done = subprocess.run(
        ["ssh", "-F", str(config), "-o", "BatchMode=yes", *shlex.split(args), host, ASK],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    return done.stdout.strip()


def test_there_are_sixty_setups_or_more() -> None:
    assert len(SETUPS) >= 60
