"""How fast hosts are collected: loopback hosts through one real sshd, and a whole run with reports.

    make bench-collect [HOSTS=200]

Prints hosts/s of collecting, CPU seconds of the audit itself (``wait4``), and the time of the
whole run, reports included. The sshd and the probes share the same cores.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "ssh"))

from openssh import ME, keygen, serve  # noqa: E402  # beside the tests that need it too


def main(hosts: int) -> int:
    """Audit that many names of one sshd; 0 where every one of them was assessed."""
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        room.chmod(0o755)
        key = keygen(room / "user")
        with serve(room, {"ed25519": keygen(room / "host")}, key) as server:
            (room / "known_hosts").write_text(server.known())
            inventory = room / "hosts.ini"
            inventory.write_text(
                f"host[0001:{hosts:04d}] ansible_host=127.0.0.1 ansible_port={server.port}"
                f" ansible_user={ME} ansible_ssh_private_key_file={key}\n"
            )
            command = [
                Path(sys.executable).with_name("pytest"),
                *("--inventory", inventory, "--known-hosts", room / "known_hosts"),
                *("--ssh-config", os.devnull, "--reports", room / "reports", "-q"),
            ]
            start = time.perf_counter()
            with (room / "said").open("w+", encoding="utf-8") as said:
                audit = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)
                _, status, used = os.wait4(audit.pid, 0)
                audit.returncode = os.waitstatus_to_exitcode(status)
                seconds = time.perf_counter() - start
                said.seek(0)
                output = said.read()
    collected = re.search(r"collected (\d+) of \d+ hosts in ([\d.]+) s, (\d+) unreach", output)
    reconciled = re.search(r"hosts in the inventory = (\d+) assessed", output)
    if collected is None or reconciled is None:
        print(output, file=sys.stderr)
        return 1
    done, took, unreachable = int(collected[1]), float(collected[2]), int(collected[3])
    print(f"collected    {done} hosts in {took:.1f} s: {done / took:.1f} hosts/s")
    print(f"whole run    {seconds:.1f} s, all reports written, exit {audit.returncode}")
    own = used.ru_utime + used.ru_stime
    print(f"this side    {own:.1f} s of CPU in all, {1000 * own / hosts:.0f} ms a host")
    print(f"unreachable  {unreachable}; assessed {reconciled[1]}")
    return int(unreachable > 0 or int(reconciled[1]) != hosts)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
