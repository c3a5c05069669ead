"""Does measuring many hosts at a time disturb the measurement? Round trips through one real sshd.

``python bench/latency_concurrency.py`` prints a row for each number of hosts at a time. Nothing on
loopback stands still for long: what is slow here is this machine, which serves all ends.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ipvs_audit.latency.analysis import analyse
from ipvs_audit.latency.measure_hosts import Job, measure_all
from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot import CollectionInfo, Snapshot

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ssh"))

from openssh import keygen, serve

HOSTS = (1, 2, 4, 8, 16)


def main() -> None:
    """Print the table."""
    room = Path(tempfile.mkdtemp(prefix="ipvs-audit-latency-"))
    room.chmod(0o755)
    keys = {"ed25519": keygen(room / "host_ed25519"), "ecdsa": keygen(room / "host_ecdsa", "ecdsa")}
    bare = Snapshot("web1", CollectionInfo("", "", "ssh", "", ""), {})
    print("| hosts at a time | median | p99 | p99.9 | delays of 20 ms | excluded |")
    print("|---|---|---|---|---|---|")
    with serve(room, keys, keygen(room / "user")) as server:
        for hosts in HOSTS:
            job = Job(bare, server.target(), server.settings, Policy(), "ssh")
            found = [
                analyse(evidence.latency)
                for evidence in measure_all([job] * hosts, hosts)
                if evidence.latency is not None and not evidence.latency.ended
            ]
            assert len(found) == hosts
            worst = [
                max(getattr(one, name) or 0 for one in found) for name in ("p50", "p99", "p999")
            ]
            cells = [f"{1000 * each:.2f} ms" for each in worst]
            cells.append(f"{sum(len(one.spikes) for one in found) / hosts:.1f} a host")
            left = sum(one.left_out for one in found) / sum(one.n + one.left_out for one in found)
            cells.append(f"{100 * left:.2f} %")
            print(f"| {hosts} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
