"""An inventory's aliases are counted before Ansible writes them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipvs_audit.inventory import InventoryError, read_inventory
from ipvs_audit.inventory.yaml_aliases import written_out
from ipvs_audit.model import limits

if TYPE_CHECKING:
    from pathlib import Path

#: Ten levels of ten: a billion values in 300 bytes.
LAUGHS = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    "name", ["hosts.yml", "hosts", "group_vars/all.yml", "host_vars/web1/vars", "group_vars/all"]
)
@pytest.mark.parametrize("text", [LAUGHS, "\ufeff" + LAUGHS, "a: &a\n  b: [*a]\n"])
def test_a_billion_values_are_refused_wherever_they_stand(
    tmp_path: Path, name: str, text: str
) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("all: {hosts: {web1: }}\n")
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    source = file if file.parent == tmp_path else hosts
    with pytest.raises(InventoryError, match=r"^write the aliases .* 5,000,000 values") as refused:
        read_inventory([str(source)])
    assert str(file) in str(refused.value)


def test_aliases_that_save_some_typing_are_taken(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(
        "all:\n  hosts:\n    web1: &web {ansible_user: jo}\n    web2: *web\n"
        "    web3: {<<: *web, ansible_port: 23}\n"
    )
    found = read_inventory([str(hosts)]).targets
    assert {(target.user, target.port) for target in found} == {("jo", None), ("jo", 23)}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", 0),
        ("x", 1),
        ("[a, b]", 3),
        ("a: {b: c}", 5),  # two mappings, two keys, a value
        ("- &a [x, y]\n- *a\n- *a\n", 10),  # the list, and three times one of two
        ("- &a x\n- *a\n", 3),
        ("[*nobody, x]", 2),
        ("[x, x]\n---\n[x]\n", 5),
        ("[x, x, }", 3),  # no YAML from there on
    ],
)
def test_values_are_counted_as_ansible_would_make_them(text: str, values: int) -> None:
    assert written_out(text) == values


def test_a_list_within_itself_counts_as_too_many() -> None:
    assert written_out("a: &a [*a]") > limits.INVENTORY_VALUES


def test_lines_that_only_look_like_aliases_cost_no_reading(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.ini"
    hosts.write_text("# * all *\nweb1 ansible_ssh_common_args='-o User=a*b' comment='& more'\n")
    assert [target.name for target in read_inventory([str(hosts)]).targets] == ["web1"]


def test_deep_nesting_is_an_error(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("all: " + "[" * 200_000)
    with pytest.raises(InventoryError, match=r"hosts\.yml"):
        read_inventory([str(hosts)])
