"""The same hosts, groups and variables as `ansible-inventory --list`, whatever the inventory is."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from inventory_corpus import BIN, CORPUS, YAML

from ipvs_audit.inventory import read_inventory
from ipvs_audit.inventory.ansible_isolation import captured_output, load_ansible

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
INTERNAL = {"inventory_hostname", "inventory_hostname_short", "group_names"}


def ansible(program: str, folder: Path, *words: str) -> str:
    """Run one of Ansible's own programs with no settings but the vault password."""
    settings = folder / "none.cfg"
    settings.write_text("")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}
    if (folder / ".password").exists():
        environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(folder / ".password")
    done = subprocess.run(
        [BIN / program, *words], capture_output=True, text=True, check=True, cwd=folder,
        env=environment | {"ANSIBLE_CONFIG": str(settings), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return done.stdout


def theirs(folder: Path, sources: list[str]) -> dict[str, Any]:
    words = [word for source in sources for word in ("-i", source)]
    listed: dict[str, Any] = json.loads(ansible("ansible-inventory", folder, "--list", *words))
    return listed


def groups_of(listed: dict[str, Any], host: str) -> tuple[str, ...]:
    """The groups of a host, parents included, as a Target names them."""
    groups = {name for name, group in listed.items() if host in group.get("hosts", ())}
    while True:
        parents = {n for n, g in listed.items() if groups & set(g.get("children", ()))} - groups
        if not parents:
            return tuple(sorted(groups - {"all", "ungrouped"}))
        groups |= parents


@pytest.mark.parametrize("kind", CORPUS)
def test_hosts_groups_and_variables_are_those_of_ansible_inventory(
    kind: str, tmp_path: Path
) -> None:
    sources = CORPUS[kind](tmp_path)
    password = tmp_path / ".password"
    listed = theirs(tmp_path, sources)
    expected = listed["_meta"]["hostvars"]
    core = load_ansible()
    with captured_output():
        ours = core.AnsibleInventory(sources, password if password.exists() else None)
        variables = {host.name: ours.variables(host) for host in ours.hosts()}
    inventory = read_inventory(sources, vault_password_file=password if password.exists() else None)

    assert {target.name: target.groups for target in inventory.targets} == {
        target.name: groups_of(listed, target.name) for target in inventory.targets
    }
    named = set().union(*(set(group.get("hosts", ())) for group in listed.values()))
    assert {target.name for target in inventory.targets} == named
    for host in named:
        mine = {name: value for name, value in variables[host].items() if name not in INTERNAL}
        for internal in ("inventory_dir", "inventory_file"):
            mine.pop(internal, None)
        wanted = expected.get(host, {})
        assert set(mine) == set(wanted)
        for name, shown in wanted.items():
            value = shown.get("__ansible_unsafe", shown) if isinstance(shown, dict) else shown
            if not (isinstance(value, dict) and "__ansible_vault" in value):
                assert json.loads(json.dumps(mine[name], default=list)) == value, (host, name)


PATTERNS = [
    "web:&hangzhou", "sites:!beijing:!web03*", "~web0[1-3]", "web[0:2]", "db-a,::1", "!web",
    "&beijing", "web21*:bücher.example.com",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_limit_selects_the_hosts_that_ansible_selects_in_its_order(
    pattern: str, tmp_path: Path
) -> None:
    source = tmp_path / "hosts.yml"
    source.write_text(YAML)
    listed = ansible("ansible", tmp_path, "all", "-i", str(source), "-l", pattern, "--list-hosts")
    expected = [line.strip() for line in listed.splitlines()[1:]]

    limited = read_inventory([str(source)], limit=pattern)

    assert [target.name for target in limited.targets] == expected
    assert limited.total == 28
    assert limited.sha256 == read_inventory([str(source)]).sha256


def test_a_retry_file_is_a_limit(tmp_path: Path) -> None:
    failed = tmp_path / "failed.retry"
    failed.write_text("web2\nweb3\n")
    limited = read_inventory(["web1,web2,web3,"], limit=f"@{failed}")
    assert [target.name for target in limited.targets] == ["web2", "web3"]
