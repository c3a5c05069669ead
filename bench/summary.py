"""What people wait for: every goal, and what the parts of this bench found.

    make bench             # runs the parts, then this

Each part leaves its goals in .cache/bench; a part that was not run is said to be missing.
"""

from __future__ import annotations

import json
import sys

from timing import FOUND, Goal, table

#: What people wait for -> the parts that measure it, and why a goal is missed where it is.
ROWS: dict[str, tuple[tuple[str, ...], str]] = {
    "start-up, times an empty pytest run": (
        ("start",),
        "190 dataclasses, 1 ms each to make, and pydantic are a third of it",
    ),
    "judging saved hosts, all reports": (
        ("judge",),
        "of few hosts start-up is most of it, of many pytest's loop and the reports half",
    ),
    "client CPU of a host": (
        ("client",),
        "policy, framing and JSON come on top",
    ),
    "collecting, near": (("collect-near",), "see Collecting"),
    "collecting, with 20 ms": (("collect-far",), "see Collecting"),
    "collecting, targets on a core of their own": (
        ("wall_clock",),
        "a handshake by paramiko is 6 to 8 ms, which both pay",
    ),
    "hosts whose counters are sampled": (("sampling",), "handshakes fill both cores"),
    "collecting with more cores": (("processes",), "see Several processes"),
    "the probe on the target": (
        ("probe",),
        "5 ms for each namespace, 13 where it is sampled; 44 forks and what they read",
    ),
    "resolving a configuration of 50 files of 100 lines": (("resolve",), "50 files are parsed"),
    "read an inventory": (
        ("inventory",),
        "ansible-core's own plugin is two thirds of it, so that it means what Ansible means",
    ),
    "merge shards": (
        ("scale",),
        "pages and junit.xml of all hosts are written once more",
    ),
    "`make check`, `make test`": (
        ("tests",),
        "check is 7,000 tests of 6 minutes; in test real kernels boot in emulation",
    ),
}


def main() -> int:
    """Print the table; 0 whatever the figures are."""
    rows = []
    for waited, (parts, why) in ROWS.items():
        for part in parts:
            path = FOUND / f"{part}.json"
            if not path.exists():
                command = f"make bench-{part.partition('-')[0].replace('_', '-')}"
                rows.append([waited, "not measured", command, "", "", ""])
                continue
            found = [Goal(**each) for each in json.loads(path.read_text())]
            rows += [[waited, *each.cells, "" if each.met else why] for each in found]
    table("What people wait for", ["", "figure", "found", "goal", "", "why"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
