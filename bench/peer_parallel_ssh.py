"""parallel-ssh, pool 32, a script on each host: ``PORT USER KEY SCRIPT HOSTS``.

Its libssh2 takes host keys unseen. Runs in the environment of bench/requirements.lock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from pssh.clients import ParallelSSHClient

POOL = 32


def main(port: str, user: str, key: str, script: str, hosts: str) -> int:
    """Run the script on each host; 0 where all of them ended well."""
    count = int(hosts)
    text = Path(script).read_text("utf-8") + "\nexit\n"
    print(f"started {time.perf_counter():.3f} {time.process_time():.3f}", flush=True)
    client = ParallelSSHClient(
        ["127.0.0.1"] * count, user=user, port=int(port), pkey=key, pool_size=POOL,
        num_retries=3, allow_agent=False, identity_auth=False,
    )  # fmt: skip
    outputs = client.run_command("sh -s", stop_on_errors=False)
    whole = 0
    for one in outputs:
        if one.exception is not None:
            print(one.exception)
            continue
        one.stdin.write(text)
        one.stdin.flush()
    for one in outputs:
        if one.exception is None:
            whole += sum(len(line) for line in one.stdout) > 1000
    print(f"{whole} of {count} hosts")
    return int(whole < count)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:6]))
