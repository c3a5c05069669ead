"""``python -m lab.oracle -n 500``: predictions against the real loaders, natively and in guests."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lab import fleet
from lab.oracle import native, reboots, trial
from lab.oracle.cases import make_case
from lab.oracle.report import Tally
from lab.oracle.userlands import GUESTS, USERLANDS

if TYPE_CHECKING:
    from pathlib import Path

    from lab.guest import Guest
    from lab.oracle.userlands import Userland

KERNELS = ("6.1", "6.12")


def main(argv: list[str] | None = None) -> int:
    """Try the cases; 0 where every prediction came true."""
    asked = _arguments().parse_args(argv)
    seed = asked.seed if asked.seed is not None else int(time.time())
    tally = Tally(seed)
    for name in filter(None, asked.userlands.split(",")):
        _userland(name, asked, tally)
    if asked.guest_cases or asked.reboots:
        _guests(asked, tally)
    print(tally.summary(), flush=True)
    return 1 if tally.mismatches else 0


def _userland(name: str, asked: argparse.Namespace, tally: Tally) -> None:
    began = time.monotonic()
    with native.sandbox(USERLANDS[name]) as box:
        for number in range(asked.first, asked.first + asked.cases):
            for result in box.run(make_case(tally.seed, number)):
                tally.add(name, result)
        print(f"oracle: {name}: {tally.line(name, time.monotonic() - began)}", flush=True)
        for mismatch in tally.of(name)[: asked.shrink]:
            print(f"{name}: made minimal: {tally.explain(trial.shrink(box.run, mismatch))}")


def _guests(asked: argparse.Namespace, tally: Tally) -> None:
    fleet.stop_orphans()
    folder = fleet.own_folder()
    try:
        with ThreadPoolExecutor() as pool:
            on = [
                pool.submit(_one_kernel, kernel, asked, tally, folder)
                for kernel in asked.kernels.split(",")
            ]
            for done in on:
                done.result()
    finally:
        fleet.down(folder)


def _one_kernel(kernel: str, asked: argparse.Namespace, tally: Tally, folder: Path) -> None:
    for name in asked.guest_userlands.split(","):
        if asked.guest_cases:
            _reloads(kernel, USERLANDS[name], asked, tally, folder)
        if asked.reboots:
            _reboots(kernel, USERLANDS[name], asked, tally, folder)


def _reloads(
    kernel: str, userland: Userland, asked: argparse.Namespace, tally: Tally, folder: Path
) -> None:
    where, began = f"{kernel} {userland.name}", time.monotonic()
    guest = trial.boot(kernel, userland, folder)
    try:
        numbers = range(asked.first, asked.first + asked.guest_cases)
        for batch in trial.batches([make_case(tally.seed, number) for number in numbers]):
            for result in trial.run(guest, userland, batch):
                tally.add(where, result)
            print(f"oracle: {where}: {tally.line(where, time.monotonic() - began)}", flush=True)
        for mismatch in tally.of(where)[: asked.shrink]:
            smallest = trial.shrink(lambda case: trial.run(guest, userland, [case]), mismatch)
            print(f"{where}: made minimal: {tally.explain(smallest)}", flush=True)
    finally:
        guest.stop()


def _reboots(
    kernel: str, userland: Userland, asked: argparse.Namespace, tally: Tally, folder: Path
) -> None:
    where, began = f"{kernel} {userland.name}", time.monotonic()
    first = reboots.FIRST + asked.first

    def start() -> Guest:
        return trial.boot(kernel, userland, folder)

    for result in reboots.run(start, userland, tally.seed, asked.reboots, first):
        tally.add(where, result)
        what = f"case {result.case.number}, {result.what} {result.value}".rstrip()
        so_far = tally.line(where, time.monotonic() - began)
        print(f"oracle: {where}: {what}; {so_far}", flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.oracle",
        description="Applies random configurations with the real loaders and compares.",
    )
    parser.add_argument("-n", "--cases", type=int, default=500, help="in each userland")
    parser.add_argument("--guest-cases", type=int, default=0, help="reloads in each guest")
    parser.add_argument("--seed", type=int, help="default: the time")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--userlands", default=",".join(USERLANDS), help="empty for none")
    parser.add_argument("--kernels", default=",".join(KERNELS), help="of the guests")
    parser.add_argument("--guest-userlands", default=",".join(GUESTS), help="on each kernel")
    parser.add_argument("--reboots", type=int, default=0, help="real reboots of each guest")
    parser.add_argument("--shrink", type=int, default=5, help="mismatches to make minimal")
    return parser


if __name__ == "__main__":
    sys.exit(main())
