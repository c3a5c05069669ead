"""The embedded fleet: boots the hosts of fleet.yml, a few at a time, and writes their inventory."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from lab import image as images
from lab import paths, priority, qemu, saved_guests
from lab.guest import Guest, free_port, started
from lab.identity import set_identity
from lab.process import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

INVENTORY = "inventory.yml"


@dataclass(frozen=True)
class Host:
    """A host of the fleet, as fleet.yml describes it."""

    name: str
    kernel: str | None = None
    machine: dict[str, Any] = field(default_factory=dict)
    optional: bool = False
    high_priority: bool = False
    states: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    expected: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


def hosts() -> list[Host]:
    """All hosts of fleet.yml."""
    described = yaml.safe_load((paths.HERE / "fleet.yml").read_text())
    return [
        Host(
            name=name,
            kernel=host.get("kernel"),
            machine=host.get("machine", {}),
            optional=host.get("optional", False),
            high_priority=host.get("high_priority", False),
            states=tuple(host.get("states", ())),
            groups=tuple(host.get("groups", ())),
            expected=host["expected"],
            names=host.get("names", {}),
        )
        for name, host in described.items()
    ]


def boot(
    series: str,
    folder: Path,
    *,
    name: str = "guest",
    states: Sequence[str] = (),
    machine: qemu.Machine | None = None,
    high_priority: bool = False,
    suite: str = images.SUITE,
) -> Guest:
    """A guest of its own, ready for ssh; `guest.stop()` ends it.

    Args:
        series: The kernel, as in `6.1`.
        folder: Where its console and keys are kept; made when missing.
        name: Its host name.
        states: What it is to be in, folders of states/.
        machine: Another machine than the usual one of that kernel.
        high_priority: It is to be timed: it runs before what else this machine does.
        suite: The Debian suite whose programs it has.

    Raises:
        LabError: It did not come up; names it and shows its console's end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image = images.ensure(suite)
    guest = saved_guests.resume(image, machine or qemu.Machine(series), name, folder)
    if high_priority:
        priority.raise_priority(guest.pid)
    try:
        set_identity(guest, states)
    except BaseException:
        guest.stop()
        raise
    return guest


def up(folder: Path, only: Sequence[str] = ()) -> Path:
    """Starts the fleet and gives back its inventory; a fleet that is already up is left as it is.

    Args:
        folder: Where the run is kept.
        only: Names of hosts; when empty, all but those that are optional.

    Raises:
        LabError: A guest did not come up. All are stopped then.
    """
    with paths.locked("fleet"):
        return _up(folder, only)


def _up(folder: Path, only: Sequence[str]) -> Path:
    known = hosts()
    if unknown := set(only) - {host.name for host in known}:
        raise LabError(f"no host is named {', '.join(sorted(unknown))} in fleet.yml")
    wanted = [host for host in known if (host.name in only if only else not host.optional)]
    real = [host for host in wanted if host.kernel]
    running = {guest.name for guest in guests(folder) if guest.runs() and guest.answers()}
    if (folder / INVENTORY).exists() and running >= {host.name for host in real}:
        return folder / INVENTORY
    down(folder)
    folder.mkdir(parents=True)
    image = images.ensure()
    machines = {host.name: qemu.Machine(str(host.kernel), **host.machine) for host in real}
    saved_guests.ensure_all(image, set(machines.values()))
    workers = max(2, os.cpu_count() or 2)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        booting = [
            pool.submit(
                boot,
                str(host.kernel),
                folder / host.name,
                name=host.name,
                states=host.states,
                machine=machines[host.name],
                high_priority=host.high_priority,
            )
            for host in real
        ]
        try:
            for done in as_completed(booting):
                guest = done.result()
                print(f"lab: {guest.name} is up ({guest.series}, port {guest.port})", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Those that are still booting die of it, which ends the threads that wait for them.
            _stop(folder)
            pool.shutdown(wait=True)
            _stop(folder)
            raise
    return _write_inventory(folder, wanted)


def guests(folder: Path) -> list[Guest]:
    """The guests that were started in a run's folder, whether they still run or not."""
    return [Guest.load(note.parent) for note in sorted(folder.glob("*/guest.json"))]


def guest(folder: Path, name: str) -> Guest:
    """One guest of a run.

    Raises:
        LabError: It is not there; names those that are.
    """
    found = {guest.name: guest for guest in guests(folder)}
    if name not in found:
        there = ", ".join(found) or "none; start them with `make lab-up`"
        raise LabError(f"no guest is named {name!r}; there are: {there}")
    return found[name]


def check(folder: Path) -> list[str]:
    """What is wrong with the guests of a run: one message for each that has died."""
    wrong = []
    for one in guests(folder):
        try:
            one.check()
        except LabError as error:
            wrong.append(str(error))
    return wrong


def own_folder() -> Path:
    """A folder for guests that are not to outlive this process; see `stop_orphans`."""
    folder = paths.CACHE / "runs" / f"{os.getpid()}-{started(os.getpid())}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def stop_orphans() -> None:
    """Stops the guests of processes that have ended without stopping them."""
    for folder in (paths.CACHE / "runs").glob("*-*"):
        pid, _, begun = folder.name.partition("-")
        if pid.isdigit() and started(int(pid)) != begun:
            for run in (folder, *folder.iterdir()):
                _stop(run)
            shutil.rmtree(folder, ignore_errors=True)


def down(folder: Path) -> None:
    """Stops the guests of a run and removes its folder."""
    _stop(folder)
    shutil.rmtree(folder, ignore_errors=True)
    if folder == paths.RUN:
        paths.INVENTORY.unlink(missing_ok=True)


def _stop(folder: Path) -> None:
    for one in guests(folder):
        one.stop()


def _write_inventory(folder: Path, wanted: Sequence[Host]) -> Path:
    """Writes the inventory, in Ansible's own words, and one known_hosts for the whole fleet."""
    ports = {guest.name: guest.port for guest in guests(folder)}
    known = [guest.known_hosts.read_text() for guest in guests(folder)]
    (folder / "known_hosts").write_text("".join(known))
    shutil.copy(images.ensure().client_key, folder / "id_ed25519")
    groups: dict[str, Any] = {}
    for host in wanted:
        port = ports.get(host.name) or free_port()
        for group in host.groups:
            groups.setdefault(group, {"hosts": {}})["hosts"][host.name] = {"ansible_port": port}
    inventory = {
        "all": {
            "vars": {
                "ansible_host": "127.0.0.1",
                "ansible_user": "root",
                "ansible_ssh_private_key_file": str(folder / "id_ed25519"),
                "ansible_ssh_common_args": f"-o UserKnownHostsFile={folder / 'known_hosts'}",
            },
            "children": groups,
        },
    }
    path = folder / INVENTORY
    unfinished = path.with_suffix(".new")
    unfinished.write_text(
        "# Written by `python -m lab up`: the embedded fleet, as it runs now.\n"
        + yaml.safe_dump(inventory, sort_keys=False),
    )
    unfinished.rename(path)
    if folder == paths.RUN:
        paths.INVENTORY.unlink(missing_ok=True)
        paths.INVENTORY.symlink_to(path)
    return path
