"""An SSH server that lets everyone in and answers every probe with a recording, after a wait.

    stub_sshd.py PORT HOST_KEY RECORDING SECONDS

It stands for hosts whose counters are sampled: the connection stays open and idle meanwhile. Other
commands succeed and say nothing. Ends by SIGTERM. Runs in the environment of
bench/requirements.lock.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import asyncssh

_KEX = ["curve25519-sha256", "curve25519-sha256@libssh.org"]  # one, as OpenSSH and paramiko name it
_TOKEN = re.compile(r"start-([0-9a-f]{24})")
_NONCE = re.compile(rb"nonce='([0-9a-f]{32})'")


class _Anybody(asyncssh.SSHServer):  # type: ignore[misc]
    def begin_auth(self, _username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, _username: str, _key: Any) -> bool:  # noqa: ANN401
        return True


def framed(sections: list[dict[str, Any]], nonce: bytes) -> bytes:
    """A recording as the probe prints it."""
    out = bytearray()
    for one in sections:
        command, output = one["command"].encode(), one["output"].encode()
        status = "-" if one["status"] is None else str(one["status"])
        head = f" {one['name']} {status} {one['at']:.2f} {len(command)} {len(output)}\n"
        out += nonce + head.encode() + command + output + b"\n"
    return bytes(out + nonce + b" end %d\n" % len(sections))


async def main(port: int, host_key: str, sections: list[dict[str, Any]], wait: float) -> None:
    """Serve for ever."""

    async def answer(process: asyncssh.SSHServerProcess[bytes]) -> None:
        found = _TOKEN.search(process.command or "")
        if found is None:  # of another program
            process.exit(0)
            return
        mark = f"ipvs-audit-start-{found[1]}".encode()
        process.stdout.write(mark)
        process.stderr.write(mark)
        sent = await process.stdin.read()
        nonce = _NONCE.search(sent)
        if nonce is None:
            process.exit(97)
            return
        await asyncio.sleep(wait)
        process.stdout.write(framed(sections, nonce[1]))
        process.exit(0)

    server = await asyncssh.listen(
        "127.0.0.1", port, server_factory=_Anybody, server_host_keys=[host_key],
        process_factory=answer, encoding=None, kex_algs=_KEX,
        encryption_algs=["aes128-gcm@openssh.com"], compression_algs=None, backlog=1024,
        login_timeout=120,
    )  # fmt: skip
    async with server:
        await server.wait_closed()


if __name__ == "__main__":
    record = json.loads(Path(sys.argv[3]).read_text("utf-8").splitlines()[0])
    told = record["snapshot"]["sections"]
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], told, float(sys.argv[4])))
