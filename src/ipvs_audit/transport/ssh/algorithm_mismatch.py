"""Why no algorithm was agreed on with a server, and what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.transport.message_text import one_line
from ipvs_audit.transport.ssh import algorithms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: paramiko's name of a list in the key exchange -> ssh_config's, what it is a list of, and what
#: OpenSSH's client (myproposal.h, 9.0 to 10.0) uses by itself that paramiko lacks.
_LISTS: dict[str, tuple[str, str, frozenset[str]]] = {
    "kex_algo_list": (
        "KexAlgorithms",
        "key exchange",
        frozenset({
            "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com",
            "mlkem768x25519-sha256",
        }),
    ),
    "server_key_algo_list": (
        "HostKeyAlgorithms",
        "host key algorithm",
        frozenset({"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"}),
    ),
    "client_encrypt_algo_list": (
        "Ciphers",
        "cipher",
        frozenset({"chacha20-poly1305@openssh.com"}),
    ),
    "client_mac_algo_list": (
        "MACs",
        "MAC",
        frozenset({
            "umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha1-etm@openssh.com",
            "umac-64@openssh.com", "umac-128@openssh.com",
        }),
    ),
}  # fmt: skip
_NO_ALGORITHM = ("ext-info-", "kex-strict-")


class Mismatch:
    """What a server and paramiko do not have in common.

    >>> found = Mismatch({"client_encrypt_algo_list": ["chacha20-poly1305@openssh.com"]}, ())
    >>> found.keywords
    ('Ciphers',)
    >>> found.text
    'use --transport openssh: no cipher in common: the server offers chacha20-poly1305@openssh.com'

    Attributes:
        keywords: ssh_config's names of the lists.
        text: the way out, and what the server offers.
    """

    def __init__(self, offered: Mapping[str, Sequence[str]], host_keys: Sequence[str]) -> None:
        """Compare what the server sent, by paramiko's names of the lists, with paramiko's own.

        Args:
            offered: the lists that it sent.
            host_keys: host key algorithms that were offered to it.
        """
        ours = {
            "kex_algo_list": algorithms.KEY_EXCHANGES,
            "server_key_algo_list": host_keys,
            "client_encrypt_algo_list": algorithms.CIPHERS,
            "client_mac_algo_list": algorithms.MACS,
        }
        keywords: list[str] = []
        lacking: list[str] = []
        openssh_helps = True
        best: list[str] = []
        for key, (keyword, what, openssh) in _LISTS.items():
            theirs = [name for name in offered.get(key, ()) if not name.startswith(_NO_ALGORITHM)]
            if key not in offered or set(theirs) & set(ours[key]):
                continue
            keywords.append(keyword)
            openssh_helps &= bool(openssh & set(theirs))
            best.append(ours[key][0] if ours[key] else what)
            names = one_line(", ".join(theirs)) or "none"
            lacking.append(f"no {what} in common: the server offers {names}")
        self.keywords = tuple(keywords)
        told = "; ".join(lacking) or "no algorithm in common"
        if openssh_helps and lacking:
            self.text = f"use --transport openssh: {told}"
            return
        help_ = f"allow {' and '.join(best)} in the server's sshd_config" if best else "update sshd"
        self.text = f"{help_}: {told}, which OpenSSH's client does not use by itself either"
