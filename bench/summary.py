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
        "a fifth of it makes 190 dataclasses, 1 ms each in Python 3.11; a tenth is pydantic",
    ),
    "judging saved hosts, all reports": (
        ("judge",),
        "see Judging and reports",
    ),
    "client CPU of a host": (("client",), "see Collecting"),
    "collecting beside other programs, near and far (20 ms)": (
        ("collect-near", "collect-far"),
        "see Collecting",
    ),
    "collecting by the clock, targets on a core of their own": (
        ("wall_clock",),
        "the stub's handshakes cost as much as ours",
    ),
    "2,000 hosts whose counters are sampled": (("sampling",), "see Collecting"),
    "collecting with more cores": (("processes",), "see Collecting"),
    "the probe on the target": (("probe",), "see The probe on the target"),
    "resolving one host's configuration": (("resolve",), ""),
    "read a 10,000-host inventory": (
        ("inventory",),
        "ansible-core's own YAML plugin is used, for the same answers",
    ),
    "merge ten shards": (("scale",), "see Judging and reports"),
    "`make check`, `make test`": (
        ("tests",),
        "real kernels boot in emulation, and two cores are full",
    ),
}


def main() -> int:
    """Print the table; 0 whatever the figures are."""
    rows = []
    for waited, (parts, why) in ROWS.items():
        for part in parts:
            path = FOUND / f"{part}.json"
            if not path.exists():
                rows.append(
                    [
                        waited,
                        "not measured",
                        f"make bench-{part.partition('-')[0].replace('_', '-')}",
                        "",
                        "",
                        "",
                    ]
                )
                continue
            found = [Goal(**each) for each in json.loads(path.read_text())]
            rows += [[waited, *each.cells, "" if each.met else why] for each in found]
    table("What people wait for", ["", "figure", "found", "goal", "", "why"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
