"""Real reboots: a case's tree is installed, the guest restarted, ip_vs loaded if it is not yet.

The prediction is the audit's own: the probe runs in the guest before the reboot. Files in /run are
installed as well: the boot finds none of them, and the prediction must know.
"""

from __future__ import annotations

import random
import shlex
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.persistence.host_config import host_config_of
from lab.evidence import collected
from lab.guest import GuestError
from lab.oracle import trial
from lab.oracle.cases import make_case
from lab.oracle.late_cases import add_late_writers
from lab.oracle.predict import predict, predict_boot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.guest import Guest
    from lab.oracle.trial_case import TrialCase
    from lab.oracle.userlands import Userland

FIRST = 1_000_000
"""Number of the first case: those before are for reloads."""

UNDECIDED = "boot undecided"
"""What a case is called that the audit has no answer for: it is counted and not tried."""

_LATE = 0.7
_PATHS = ("sysctl.d", "modprobe.d", "modules-load.d")
_MOST_LOST = 3
_READ = (
    "udevadm settle -t 20; [ -e {key} ] || timeout -s KILL 20 modprobe {trigger} >/dev/null 2>&1; "
    "status=$?; udevadm settle -t 20; if [ -e {key} ]; then cat {key}; else echo absent; fi; "
    "echo $status"
)
_KEY = "/proc/sys/net/ipv4/vs/run_estimation"


def make_boot_case(seed: int, number: int) -> TrialCase:
    """The case of a seed and a number for a reboot: most have late writers."""
    case = replace(make_case(seed, number), softdep="")
    rng = random.Random(f"{seed}/{number}/late")  # noqa: S311  # a test's choice, not a secret
    return add_late_writers(rng, case) if rng.random() < _LATE else case


def run(
    start: Callable[[], Guest], userland: Userland, seed: int, count: int, first: int = FIRST
) -> Iterator[trial.TrialResult]:
    """Reboot into cases that the audit has an answer for, until there are enough.

    Args:
        start: starts a guest; asked again where one did not come back from a reboot.
        userland: whose programs it has.
        seed: of the cases.
        count: how many reboots.
        first: number of the first case.

    Yields:
        What came of each; and each that the audit had no answer for, as :data:`UNDECIDED`.

    Raises:
        GuestError: guests did not come back from several reboots.
    """
    guest, number, done, lost = start(), first, 0, 0
    before: frozenset[str] = frozenset()
    try:
        while done < count:
            case = make_boot_case(seed, number)
            number += 1
            with tempfile.TemporaryDirectory(prefix="oracle-") as name:
                root = Path(name)
                trial.write_tree(case, root)
                if predict(root, case, userland)["boot"].value is None:
                    continue  # late writers settle no doubt
                _install(guest, root, before)
            before = frozenset((*case.files, *case.links))
            expected = predict_boot(host_config_of(collected(guest)), case.trigger)
            if expected.value is None:
                yield trial.TrialResult(case, UNDECIDED, "", 0, expected)
                continue
            try:
                guest.reboot()
            except GuestError as error:
                lost += 1
                if lost > _MOST_LOST:
                    raise
                print(f"oracle: seed {seed} case {number - 1} is lost: {error}", flush=True)
                guest.stop()
                guest, before = start(), frozenset()
                continue
            asked = guest.ssh(_READ.format(key=_KEY, trigger=case.trigger), timeout=90)
            value, status = asked.stdout.split()
            yield trial.TrialResult(case, "boot", value, int(status), expected)
            done += 1
    finally:
        guest.stop()


def _install(guest: Guest, root: Path, before: frozenset[str]) -> None:
    """Install a case's tree in place of what the one before left."""
    clean = "rm -rf /etc/sysctl.conf"
    for top in ("/etc", "/run", "/usr/local/lib", "/usr/lib"):
        clean += "".join(f" {top}/{sub}/* {top}/{sub}/.[!.]*" for sub in _PATHS)
    clean += "".join(f" {shlex.quote(f'/{path}')}" for path in sorted(before))
    guest.ssh(f"{clean}; tar -xC / && sync", stdin=trial.packed(root))
