"""Collects an inventory's hosts as an audit does, and saves what came.

    peer_ipvs_audit.py INVENTORY KNOWN_HOSTS OUT [FORKS [SSH_CONFIG]]

With SSH_CONFIG it is by OpenSSH's client, else by paramiko.

What is left out is judging and reports, which its peers do not do either.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ipvs_audit.inventory import read_inventory
from ipvs_audit.model import limits
from ipvs_audit.probe.collector import collect
from ipvs_audit.snapshot import Failure, store
from ipvs_audit.transport import Limits
from ipvs_audit.transport.connect import Settings, import_clients, open_connection
from timing import say_started


def patient(known_hosts: str, ssh_config: str = "") -> Settings:
    """Loaded machines measure, too: a time limit would end what is only slow."""
    return Settings(
        limits=Limits(connect=120, deadline=300),
        known_hosts=(Path(known_hosts),),
        ssh_config=Path(ssh_config or os.devnull),
        transport="openssh" if ssh_config else "paramiko",
    )


def main(
    inventory: str, known_hosts: str, out: str, forks: str = "64", ssh_config: str = ""
) -> int:
    """Collect and save; 0 where every host came."""
    targets = read_inventory([inventory]).targets
    settings = patient(known_hosts, ssh_config)
    import_clients(targets)  # as an audit does, and as its peers do, before hosts are collected
    say_started()
    failed = 0
    with store.Writer(Path(out)) as saved:
        for evidence in collect(
            targets,
            settings=settings,
            open_connection=open_connection,
            forks=int(forks),
            under_way=limits.HOSTS_PER_FORK * int(forks),
        ):
            saved.write(evidence)
            if isinstance(evidence, Failure):
                failed += 1
                print(evidence.message)
    print(f"{len(targets)} hosts, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:6]))
