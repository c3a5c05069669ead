"""Inventories in the shapes of real public ones, and what this suite makes of each.

A shape is a text file in ``tests/inventory/shapes``: what it stands for, then its files, each under
a line ``-- NAME`` with words for how it is written (``executable``, ``crlf``, ``bom``, ``vault``).
``tests/inventory/record_answers.py`` asks Ansible about each and writes ``answers.json``.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inventory_corpus import encrypt

from ipvs_audit.inventory import find_settings, read_inventory
from ipvs_audit.inventory.ansible_isolation import captured_output, load_ansible
from ipvs_audit.inventory.files import checked_sources

if TYPE_CHECKING:
    from ipvs_audit.model.target import Target

_HERE = Path(__file__).parent
FOLDER = _HERE.parent / "inventory" / "shapes"
ANSWERS = FOLDER.parent / "answers.json"
#: Variables that say where an inventory lies, or which host it is.
_OF_ANSIBLE = {
    "inventory_hostname", "inventory_hostname_short", "group_names", "inventory_dir",
    "inventory_file",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """Attributes:
    name: its file's.
    sources: what is given as ``--inventory``; empty where the settings name it.
    environment: variables that Ansible reads.
    own_process: whether a setting counts that Ansible reads but once in a process.
    files: text and ways of writing, by path.
    """

    name: str
    sources: tuple[str, ...]
    environment: dict[str, str]
    own_process: bool
    files: dict[str, tuple[str, frozenset[str]]]

    @property
    def has_settings(self) -> bool:
        """Whether Ansible's settings come with it."""
        return bool(self.environment) or any(name.endswith(".cfg") for name in self.files)

    def write(self, folder: Path, *, mark: bool = True) -> None:
        """Write the files; ``mark`` is whether byte order marks are written."""
        for name, (text, ways) in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            written = encrypt(folder, text) if "vault" in ways else text
            written = written.replace("\n", "\r\n") if "crlf" in ways else written
            start = "\ufeff" if mark and "bom" in ways else ""
            path.write_bytes((start + written).encode())
            path.chmod(0o755 if "executable" in ways else 0o644)


def shape(name: str) -> Shape:
    head, *parts = re.split(
        r"^-- ", (FOLDER / f"{name}.txt").read_text("utf-8"), flags=re.MULTILINE
    )
    files = {}
    for part in parts:
        line, _, text = part.partition("\n")
        path, *ways = line.split()
        files[path] = (text, frozenset(ways))
    said = dict(line.split(": ", 1) for line in head.splitlines() if re.match(r"\w+: ", line))
    given = said.get("inventory", next(iter(files))).split()
    pairs = (pair.split("=", 1) for pair in re.findall(r"\S+=\S+", said.get("environment", "")))
    return Shape(
        name, () if given == ["@"] else tuple(given), dict(pairs), "own process" in head, files
    )


NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))


def environment(of: Shape, folder: Path) -> dict[str, str]:
    """The whole environment for Ansible in a folder: nothing of the user's own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "K8S_AUTH_"))}
    own = {"HOME": str(folder), "LC_ALL": "C.UTF-8", "PYTHONPATH": str(_HERE)}
    return clean | own | of.environment


def groups_of(listed: dict[str, Any], host: str) -> list[str]:
    """The groups of a host in ``ansible-inventory --list``, parents included."""
    groups = {name for name, group in listed.items() if host in group.get("hosts", ())}
    while True:
        parents = {n for n, g in listed.items() if groups & set(g.get("children", ()))} - groups
        if not parents:
            return sorted(groups - {"all", "ungrouped"})
        groups |= parents


def ours(of: Shape) -> dict[str, Any]:
    """What this suite reads in the working directory: groups, variables, the way to each host."""
    settings = find_settings()
    sources = of.sources or settings.inventory
    inventory = read_inventory(sources, settings=settings)
    core = load_ansible(settings)
    with captured_output():
        read = core.AnsibleInventory(checked_sources(sources), None, settings.vaults)
        variables = {str(host.name): read.variables(host) for host in read.hosts()}
    return {
        target.name: {
            "groups": list(target.groups),
            "variables": json.loads(
                json.dumps(
                    {k: v for k, v in variables[target.name].items() if k not in _OF_ANSIBLE},
                    default=list,
                )
            ),
            "reach": _reach(target),
        }
        for target in inventory.targets
    }


def _reach(target: Target) -> dict[str, Any]:
    become = target.become
    return {
        "address": target.address,
        "port": target.port,
        "user": target.user,
        "key_file": target.key_file,
        "ssh_args": " ".join(filter(None, (target.first_ssh_args, target.ssh_args))),
        "password": target.password and target.password.get_secret_value(),
        "become_user": become and become.user,
        "become_password": become and become.password and become.password.get_secret_value(),
    }


if __name__ == "__main__":
    json.dump(ours(shape(sys.argv[1])), sys.stdout)
