"""Why OpenSSH's client did not connect: read from its log, and from what its proxies said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.transport import FailureKind, Retry, TransportError
from ipvs_audit.transport.message_text import one_line

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ipvs_audit.transport.openssh.client_log import ClientLog

#: The client's words (sshconnect.c, sshconnect2.c, packet.c, readconf.c) -> what is wrong, whether
#: to try again, and the way out. The first that is found counts: the consequences follow.
_CAUSES: tuple[tuple[str, FailureKind, Retry, str], ...] = (
    (
        r"Failed to add the host to the list",
        "host-key",
        "never",
        (
            "make its known_hosts file writable, or name another with --known-hosts FILE: its new"
            " key could not be saved"
        ),
    ),
    (
        r"REVOKED HOST KEY|revoked host key|marked as revoked",
        "host-key",
        "never",
        "its host key is marked @revoked: create a new host key on the host",
    ),
    (
        r"HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        "host-key",
        "never",
        (
            "HOST KEY CHANGED: possible interception, or the host was reinstalled. If it was"
            " reinstalled: ssh-keygen -R HOST, and add its new key to known_hosts{offered}"
        ),
    ),
    (
        r"you have requested strict checking|[Hh]ost key verification failed",
        "host-key",
        "never",
        (
            "host key not known: compare its fingerprint on the host (ssh-keygen -lf"
            " /etc/ssh/ssh_host_*_key.pub), then add the key to known_hosts, or run once with"
            " --host-key-policy accept-new{offered}"
        ),
    ),
    (
        (
            r"Bad configuration option|bad configuration options|Bad owner or permissions"
            r"|[Uu]nsupported option|command-line: |\bline \d+: |extra arguments at end|usage: ssh"
        ),
        "configuration",
        "never",
        "correct ssh_config or ansible_ssh_common_args",
    ),
    (
        r"ssh_askpass: exec\(",
        "configuration",
        "never",
        "set TMPDIR to a folder in which programs may be run (no noexec), or use a key",
    ),
    (
        r"no matching (?:\S+ ){1,3}found",
        "protocol",
        "never",
        (
            "no algorithm in common: allow one that the server offers (Ciphers, MACs,"
            " KexAlgorithms, HostKeyAlgorithms in ssh_config)"
        ),
    ),
    (
        r"Too many authentication failures",
        "authentication",
        "never",
        (
            "too many authentication failures (MaxAuthTries); name one key with"
            " ansible_ssh_private_key_file and set IdentitiesOnly yes"
        ),
    ),
    (
        r"Permission denied \(",
        "authentication",
        "never",
        (
            "login failed: check ansible_user, ansible_ssh_private_key_file, ansible_password and"
            " the agent"
        ),
    ),
    (
        r"Could not resolve hostname",
        "unreachable",
        "never",
        "the name does not resolve",
    ),
    (
        r"Connection refused",
        "unreachable",
        "once",
        "connection refused; is sshd running on that port?",
    ),
    (
        r"No route to host|[Nn]etwork is unreachable|Operation not permitted|Host is down",
        "unreachable",
        "never",
        "no way to the host",
    ),
    (
        r"timed out|[Tt]imeout",
        "unreachable",
        "never",
        "no answer within the connect timeout (down, or a firewall)",
    ),
    (
        r"exchange_identification: .*(?:[Ii]nvalid|[Bb]anner|[Pp]rotocol)|Bad remote protocol",
        "protocol",
        "never",
        "no SSH server",
    ),
)
_CUT = re.compile(r"closed|reset|[Bb]roken pipe|end of file", re.IGNORECASE)


def refused(
    log: ClientLog,
    proxies: bytes,
    *,
    where: str,
    late: bool,
    secrets: tuple[SecretStr | None, ...] = (),
) -> TransportError:
    r"""The error that tells why there is no connection.

    What a jump host or a proxy command said counts before what the client made of it.

    Args:
        log: the client's.
        proxies: what was written to its standard error by others.
        where: the host as messages name it.
        late: the client was ended, because the time to connect was up.
        secrets: to be starred out.

    >>> from ipvs_audit.transport.openssh.client_log import ClientLog
    >>> log = ClientLog()
    >>> log.feed(b"ssh: connect to host web1 port 22: Connection refused\n")
    >>> refused(log, b"", where="web1", late=False).kind
    'unreachable'
    """
    said = proxies.decode("utf-8", "replace").splitlines()
    offered = f"; offered {log.key_type} {log.fingerprint}" if log.fingerprint else ""
    between = "on the way to it: " if log.proxied else ""
    for lines, who in ((log.complaints, ""), (said, between)):
        for pattern, kind, retry, advice in _CAUSES:
            for line in lines:
                if re.search(pattern, line):
                    text = advice.format(offered="" if who else offered)
                    quote = one_line(line, secrets).removeprefix("ssh: ")
                    return TransportError(kind, f"{where}: {who}{text}; ssh: {quote}", retry=retry)
    if log.proxied and not log.banner:
        quote = one_line(" ".join(said[-3:]), secrets)
        why = f' said: "{quote}"' if quote else " said nothing"
        return TransportError(
            "unreachable", f"{where}: correct ProxyCommand or ProxyJump: what it started{why}"
        )
    if late:
        return _late(log, where)
    last = one_line(log.complaints[-1] if log.complaints else " ".join(said[-3:]), secrets)
    if not _CUT.search(last):
        return TransportError("protocol", f"{where}: ssh failed: {last or 'it said nothing'}")
    if not log.banner:
        return TransportError(
            "unreachable",
            f"{where}: closed the connection before its SSH banner; too many connections at once "
            "(MaxStartups, PerSourceMaxStartups, PerSourcePenalties) or a firewall",
            retry="backoff",
        )
    stage = "login" if log.methods else "key exchange"
    return TransportError(
        "unreachable", f"{where}: closed the connection during {stage}: {last}", retry="once"
    )


def _late(log: ClientLog, where: str) -> TransportError:
    if not log.connected:
        what = "no answer within the connect timeout (down, or a firewall)"
    elif not log.banner:
        what = (
            "accepts connections but sent no SSH banner within the connect timeout; is this an SSH"
            " port, and is sshd running?"
        )
    elif not log.fingerprint:
        what = "no key exchange within the connect timeout"
    else:
        what = "no answer to the login within the connect timeout"
    return TransportError("unreachable", f"{where}: {what}")
