"""How long reading a big YAML inventory takes, beside ``ansible-inventory --list``.

    make bench-inventory [HOSTS=10000] [PAIRS=5]

Both read the same file. What the audit uses of each host is compared, and then, outside of what is
timed, every variable of every host.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ipvs_audit.model.text import counted
from loopback_fleet import quiet_environment
from timing import Goal, cpu, given, goals, in_turn, run, say_started, table

LEAST_TIMES = 4.0
_GROUPS = 40
_UNLISTED = {
    "inventory_hostname", "inventory_hostname_short", "group_names", "inventory_dir",
    "inventory_file",
}  # fmt: skip
"""What Ansible adds to each host of its own, and leaves out of its list."""


def write(path: Path, hosts: int) -> Path:
    """A fleet as its operators write it: regions, roles, a variable or two for each host."""
    lines = [
        "all:",
        "  vars:",
        "    ansible_user: audit",
        "    ansible_become: true",
        "  children:",
    ]
    for group in range(_GROUPS):
        lines += [f"    region{group:02d}:", "      vars:", f"        region: r{group:02d}"]
        lines += ["      hosts:"]
        for number in range(group, hosts, _GROUPS):
            lines += [
                f"        host{number:06d}.example.com:",
                f"          ansible_host: 10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
                f"          rack: k{number % 97}",
            ]
    for role in ("lb", "edge", "db"):
        lines += [f"    {role}:", "      vars: {ansible_port: 2222}", "      hosts:"]
        step = {"lb": 3, "edge": 5, "db": 11}[role]
        lines += [f"        host{number:06d}.example.com:" for number in range(0, hosts, step)]
    path.write_text("\n".join(lines) + "\n")
    return path


def ours(source: str, out: str) -> int:
    """Read it as an audit does, and save what it knows for the comparison."""
    from ipvs_audit.inventory import read_inventory  # noqa: PLC0415  # its import is measured

    say_started()
    found = read_inventory([source])
    told = {
        target.name: [list(target.groups), target.address, target.user, target.port,
                      target.become is not None]
        for target in found.targets
    }  # fmt: skip
    Path(out).write_text(json.dumps(told))
    return 0


def variables(source: str, out: str) -> int:
    """Save every variable of every host as the audit merges them; not timed."""
    from ipvs_audit.inventory.ansible_isolation import load_ansible  # noqa: PLC0415  # as above

    read = load_ansible().AnsibleInventory([source], None)
    told = {
        str(host.name): {
            name: value for name, value in read.variables(host).items() if name not in _UNLISTED
        }
        for host in read.hosts()
    }
    Path(out).write_text(json.dumps(told))
    return 0


def theirs(whole: dict[str, Any]) -> dict[str, list[object]]:
    """What the audit uses, from Ansible's own list."""
    hostvars = whole["_meta"]["hostvars"]
    groups: dict[str, list[str]] = {name: [] for name in hostvars}
    for group, told in whole.items():
        if group not in ("_meta", "all", "ungrouped"):
            for name in told.get("hosts", ()):
                groups[name].append(group)
    return {
        name: [sorted(groups[name]), own.get("ansible_host", name), own.get("ansible_user"),
               own.get("ansible_port"), own.get("ansible_become", False)]
        for name, own in hostvars.items()
    }  # fmt: skip


def main(hosts: int, pairs: int) -> int:
    """Measure and compare; 1 where the two do not say the same."""
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        source, told = write(room / "hosts.yml", hosts), room / "told.json"
        (room / "none.cfg").touch()
        environment = quiet_environment()
        took = in_turn(
            pairs,
            lambda: run(
                [sys.executable, Path(__file__), "read", source, told], cwd=room, env=environment
            ),
            lambda: run(
                [Path(sys.executable).with_name("ansible-inventory"), "--list", "-i", source],
                cwd=room,
                env={**environment, "ANSIBLE_CONFIG": str(room / "none.cfg")},
            ),
            f"{hosts:,} hosts",
        )
        listed = took.theirs[-1]
        whole = json.loads(listed.output[listed.output.index("{") :])
        same = json.loads(told.read_text()) == theirs(whole)
        every = [sys.executable, Path(__file__), "variables", source, told]
        run(every, cwd=room, env=environment)
        all_same = json.loads(told.read_text()) == whole["_meta"]["hostvars"]
    table(
        f"Reading a YAML inventory of {hosts:,} hosts, medians of {counted(pairs, 'pair')}",
        ["", "CPU s", "`ansible-inventory --list`, CPU s", "times", "pairs", "peak, MiB"],
        [["ipvs-audit", *took.cells(cpu), f"{max(one.peak for one in took.ours):.0f}"]],
    )
    goals(
        "inventory",
        "Inventory: goals",
        [
            Goal("times less CPU than ansible-inventory", 1 / took.times(cpu), ">=", LEAST_TIMES),
            Goal("the same hosts, groups, settings and variables", same and all_same, ">=", 1),
        ],
    )
    return int(not (same and all_same))


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        sys.exit(ours(*sys.argv[2:4]))
    if sys.argv[1:2] == ["variables"]:
        sys.exit(variables(*sys.argv[2:4]))
    sys.exit(main(given("HOSTS", 10_000), given("PAIRS", 5)))
