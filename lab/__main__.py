"""The lab's commands, as the Makefile calls them: `python -m lab --help`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lab import expected_verdicts, fleet, image, paths, qemu, saved_guests
from lab.kernels import KERNELS
from lab.process import LabError


def build(_: argparse.Namespace) -> int:
    """Builds the image and saves a booted guest of each kernel, where that is not done yet."""
    saved_guests.ensure_all(image.ensure(), map(qemu.Machine, KERNELS))
    return 0


def up(options: argparse.Namespace) -> int:
    """Starts the fleet and prints where its inventory lies."""
    print(fleet.up(options.run, options.hosts))
    return 0


def down(options: argparse.Namespace) -> int:
    """Stops the fleet, and guests that a process left behind when it was killed."""
    fleet.stop_orphans()
    fleet.down(options.run)
    return 0


def status(options: argparse.Namespace) -> int:
    """Prints a line for each guest; exits 1 when one has died, and shows its console's end."""
    for guest in fleet.guests(options.run):
        state = "up" if guest.runs() else "dead"
        print(f"{guest.name:12} {guest.series:5} port {guest.port}  pid {guest.pid}  {state}")
    wrong = fleet.check(options.run)
    for message in wrong:
        print(message, file=sys.stderr)
    return 1 if wrong else 0


def ssh(options: argparse.Namespace) -> int:
    """Becomes an ssh into a guest."""
    guest = fleet.guest(options.run, options.host)
    guest.check()
    command = [*guest.ssh_command(options.user), *options.command]
    os.execvp(command[0], command)  # noqa: S606


def check(options: argparse.Namespace) -> int:
    """Compares a run's results with the designed verdicts, and the guests with being alive."""
    wrong = expected_verdicts.differences(options.results) + fleet.check(options.run)
    for line in wrong:
        print(f"lab: {line}", file=sys.stderr)
    if not wrong:
        print("lab: every verdict is the one that the fleet was designed to give")
    return 1 if wrong else 0


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--run", type=Path, default=paths.RUN, help="the run's folder")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for function in (build, up, down, status, ssh, check):
        one = commands.add_parser(function.__name__, help=function.__doc__)
        one.set_defaults(function=function)
        if function is up:
            one.add_argument(
                "hosts",
                nargs="*",
                metavar="HOST",
                help="only these; by default all that are not optional",
            )
        if function is ssh:
            one.add_argument("--user", default="root")
            one.add_argument("host")
            one.add_argument("command", nargs=argparse.REMAINDER)
        if function is check:
            one.add_argument("results", type=Path, help="a run's results.json")
    options = parser.parse_args(argv)
    options.run = options.run.absolute()
    return options


def main() -> int:
    """Runs one command."""
    options = parse()
    try:
        return int(options.function(options))
    except (LabError, OSError) as error:
        message = "\n".join([str(error), *getattr(error, "__notes__", ())])
        print(f"lab: {message}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
