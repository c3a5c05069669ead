"""Collects an inventory's hosts by so many processes, saves what came, and says what each used.

    peer_processes.py INVENTORY KNOWN_HOSTS OUT PROCESSES

What is left out is judging and reports. Prints a line of JSON: seconds, this process's CPU seconds,
those of each other process, and the peak of each in MiB, this one's first.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from pathlib import Path

from ipvs_audit.inventory import read_inventory
from ipvs_audit.model import limits
from ipvs_audit.probe.collector import collect
from ipvs_audit.probe.processes import CollectingProcesses
from ipvs_audit.snapshot import Failure, store
from ipvs_audit.transport.connect import import_clients, open_connection
from peer_ipvs_audit import patient

#: By process, what it used.
used: dict[int, resource.struct_rusage] = {}


def _noting_waitpid(pid: int, options: int) -> tuple[int, int]:
    """As ``os.waitpid``; what the process used is noted."""
    found, status, usage = os.wait4(pid, options)
    if found:
        used[found] = usage
    return found, status


def main(inventory: str, known_hosts: str, out: str, count: str) -> int:
    """Collect and save; 0 where every host came."""
    os.waitpid = _noting_waitpid
    targets = read_inventory([inventory]).targets
    how = {
        "settings": patient(known_hosts),
        "open_connection": open_connection,
        "forks": limits.FORKS,
        "under_way": limits.HOSTS_PER_FORK * limits.FORKS,
    }
    import_clients(targets)
    cpu, begun, failed = time.process_time(), time.perf_counter(), 0
    processes = CollectingProcesses(int(count), targets, **how) if int(count) > 1 else None
    pids = [each.pid for each in processes._processes] if processes else []
    here = collect(targets, **how)
    with store.Writer(Path(out)) as saved, contextlib.closing(processes or here):
        for evidence in processes.evidence() if processes else here:
            saved.write(evidence)
            failed += isinstance(evidence, Failure)
    workers = [used[pid] for pid in pids]
    told = {
        "seconds": time.perf_counter() - begun,
        "parent": time.process_time() - cpu,
        "workers": [each.ru_utime + each.ru_stime for each in workers],
        "peaks": [
            each.ru_maxrss / 1024 for each in (resource.getrusage(resource.RUSAGE_SELF), *workers)
        ],
    }
    print(json.dumps(told))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
