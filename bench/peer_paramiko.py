"""Paramiko alone: connect, run a script, read what it says. ``PORT USER KEY KNOWN SCRIPT HOSTS``.

32 threads, a host at a time each; nothing is parsed or saved. It verifies the host key.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko

from timing import say_started

THREADS = 32


def main(port: str, user: str, *files: str, hosts: str) -> int:
    """Run the script on each host; 0 where all of them ended well."""
    key, known, script = files
    text = Path(script).read_bytes()
    pkey = paramiko.Ed25519Key.from_private_key_file(key)

    def one(_: int) -> int:
        client = paramiko.SSHClient()
        client.load_host_keys(known)
        client.connect(
            "127.0.0.1", int(port), user, pkey=pkey, look_for_keys=False, allow_agent=False,
            timeout=30, banner_timeout=30, auth_timeout=30,
        )  # fmt: skip
        stdin, stdout, _ = client.exec_command("sh -s")
        stdin.write(text)
        stdin.channel.shutdown_write()
        came = stdout.read()
        client.close()
        return len(came)

    say_started()
    with ThreadPoolExecutor(THREADS) as pool:
        came = list(pool.map(one, range(int(hosts))))
    print(f"{sum(size > 1000 for size in came)} of {hosts} hosts")
    return int(min(came) < 1000)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:6], hosts=sys.argv[6]))
