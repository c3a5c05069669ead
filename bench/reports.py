"""How long all reports of a big fleet take, and how large they become.

    make bench-reports [HOSTS=10000]
    python bench/reports.py DIRECTORY     # and leaves them there

Prints seconds, peak memory and sizes; the fleet is made up (tests/support/sample_run.py).
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import sample_run

from ipvs_audit.report.write import write_reports
from timing import given


def main(hosts: int, into: Path | None) -> None:
    """Write the reports once."""
    run = sample_run.run(sample_run.fleet(hosts))
    with tempfile.TemporaryDirectory() as name:
        folder = into or Path(name) / "run"
        start = time.perf_counter()
        write_reports(run, None, folder)
        seconds = time.perf_counter() - start
        sizes = {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{hosts} hosts x {len(run.controls)} controls: {seconds:.1f} s, peak {peak:.0f} MiB")
    for file in ("index.html", "report.html", "junit.xml", "results.json"):
        print(f"{file:14} {sizes[file] / 1e6:8.2f} MB")
    print(f"{'all':14} {sum(sizes.values()) / 1e6:8.2f} MB in {len(sizes)} files")


if __name__ == "__main__":
    main(given("HOSTS", 10_000), Path(sys.argv[1]) if sys.argv[1:] else None)
