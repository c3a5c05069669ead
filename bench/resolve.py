"""Resolving one host's configuration, against merely reading its lines.

50 files of 100 lines, one of them with the key: what EST-2 asks of a big host. Run it with
``make bench-resolve``.
"""

from __future__ import annotations

import sys
import timeit
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from configured import LOADERS

from ipvs_audit.persistence.host_config import HostConfig
from ipvs_audit.persistence.persisted_value import persisted_value
from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree, Line
from timing import Goal, goals

FILES, LINES, ROUNDS = 50, 100, 50
LIMIT_MS = 2.0


def tree() -> ConfigTree:
    """A big host's files."""
    files = {}
    for number in range(FILES):
        path = f"/etc/sysctl.d/{number:02}-some.conf"
        lines = [Line(at, f"net.ipv4.conf.eth{at}.rp_filter = {number}") for at in range(LINES)]
        if number == FILES // 2:
            lines[7] = Line(7, "net.ipv4.vs.run_estimation = 0")
        files[path] = ConfigFile(path, path, 0, 0, 0o644, 4000, "", tuple(lines))
    return ConfigTree(files)


def resolve(files: ConfigTree) -> None:
    """What EST-2 does."""
    assert persisted_value(HostConfig(files, LOADERS), lambda value: value == 0).compliant


def read(files: ConfigTree) -> int:
    """Merely touch every line."""
    return sum(len(line.text) for file in files.files.values() for line in file.lines or ())


def main() -> int:
    """Measure; 0 whatever the figure is."""
    files = tree()
    took = min(timeit.repeat(lambda: resolve(files), number=1, repeat=ROUNDS)) * 1000
    touched = min(timeit.repeat(lambda: read(files), number=1, repeat=ROUNDS)) * 1000
    title = f"EST-2 of {FILES} files of {LINES} lines; merely reading them takes {touched:.2f} ms"
    goals("resolve", title, [Goal("ms", took, "<=", LIMIT_MS)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
