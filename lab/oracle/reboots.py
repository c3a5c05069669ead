"""Real reboots: a case's tree is installed, the guest restarted, ip_vs loaded if it is not yet.

Files in /run are installed as well: the boot finds none of them, and the prediction must know.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab.oracle import trial
from lab.oracle.cases import make_case
from lab.oracle.predict import predict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.guest import Guest

_FIRST = 1_000_000
_PATHS = ("sysctl.d", "modprobe.d", "modules-load.d")
_READ = (
    "udevadm settle -t 20; [ -e {key} ] || timeout -s KILL 20 modprobe {trigger} >/dev/null 2>&1; "
    "status=$?; udevadm settle -t 20; if [ -e {key} ]; then cat {key}; else echo absent; fi; "
    "echo $status"
)
_KEY = "/proc/sys/net/ipv4/vs/run_estimation"


def run(guest: Guest, seed: int, count: int) -> Iterator[trial.TrialResult]:
    """Reboot into cases that the model has an answer for, until there are enough.

    Raises:
        GuestError: the guest did not come back.
    """
    number, done = _FIRST, 0
    while done < count:
        case = replace(make_case(seed, number), softdep="")
        number += 1
        with tempfile.TemporaryDirectory(prefix="oracle-") as name:
            root = Path(name)
            trial.write_tree(case, root)
            expected = predict(root, case)["boot"]
            if expected.value is None:
                continue
            _install(guest, root)
        guest.reboot()
        printed = guest.ssh(_READ.format(key=_KEY, trigger=case.trigger), timeout=90).stdout.split()
        yield trial.TrialResult(case, "boot", printed[0], int(printed[1]), expected)
        done += 1


def _install(guest: Guest, root: Path) -> None:
    clean = "rm -rf /etc/sysctl.conf /etc/udev/rules.d/90-oracle.rules"
    for top in ("/etc", "/usr/local/lib", "/usr/lib"):
        clean += "".join(f" {top}/{sub}/* {top}/{sub}/.[!.]*" for sub in _PATHS)
    guest.ssh(f"{clean}; tar -xC / && sync", stdin=trial.packed(root))
