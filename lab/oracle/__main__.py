"""``python -m lab.oracle -n 500``: predictions against the real loaders, in guests."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from lab import fleet
from lab.oracle import reboots, trial
from lab.oracle.cases import make_case
from lab.oracle.report import Tally

KERNELS = ("6.1", "6.12")


def main(argv: list[str] | None = None) -> int:
    """Try the cases; 0 where every prediction came true."""
    asked = _arguments().parse_args(argv)
    seed = asked.seed if asked.seed is not None else int(time.time())
    fleet.stop_orphans()
    folder = fleet.own_folder()
    tally = Tally(seed)
    try:
        with ThreadPoolExecutor() as pool:
            on = [
                pool.submit(_one_kernel, kernel, asked, seed, tally, str(folder))
                for kernel in asked.kernels.split(",")
            ]
            for done in on:
                done.result()
    finally:
        fleet.down(folder)
    print(tally.summary(), flush=True)
    return 1 if tally.mismatches else 0


def _one_kernel(
    kernel: str, asked: argparse.Namespace, seed: int, tally: Tally, folder: str
) -> None:
    guest = trial.boot(kernel, folder)
    try:
        cases = [
            make_case(seed, number) for number in range(asked.first, asked.first + asked.cases)
        ]
        began = time.monotonic()
        for batch in trial.batches(cases):
            for result in trial.run(guest, batch):
                tally.add(kernel, result)
            print(f"oracle: {kernel}: {tally.line(kernel, time.monotonic() - began)}", flush=True)
        for mismatch in tally.of(kernel)[: asked.shrink]:
            smallest = tally.explain(trial.shrink(guest, mismatch))
            print(f"{kernel}: made minimal: {smallest}", flush=True)
        for result in reboots.run(guest, seed, asked.reboots):
            tally.add(kernel, result)
            print(f"oracle: {kernel}: {tally.line(kernel, time.monotonic() - began)}", flush=True)
    finally:
        guest.stop()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.oracle",
        description="Applies random configurations with the real loaders and compares.",
    )
    parser.add_argument("-n", "--cases", type=int, default=100, help="on each kernel")
    parser.add_argument("--seed", type=int, help="default: the time")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--kernels", default=",".join(KERNELS))
    parser.add_argument("--reboots", type=int, default=0, help="real reboots on each kernel")
    parser.add_argument("--shrink", type=int, default=5, help="mismatches to make minimal")
    return parser


if __name__ == "__main__":
    sys.exit(main())
