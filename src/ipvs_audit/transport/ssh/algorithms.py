"""The algorithms that are offered to SSH servers, the cheapest safe ones first.

CBC, 3DES, MD5, truncated MACs and signatures by SHA-1 are not offered.
"""

from __future__ import annotations

from ipvs_audit.transport.ssh.paramiko_internals import KEY_EXCHANGES as _KNOWN

KEY_EXCHANGES = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group-exchange-sha256",
    *(name for name in _KNOWN if "mlkem" in name),
)
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
)
#: Signature algorithms per type of host key.
SIGNATURES = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
#: What the name of a certificate's type ends with.
CERTIFICATE = "-cert-v01@openssh.com"
HOST_KEYS = tuple(name for names in SIGNATURES.values() for name in names)
