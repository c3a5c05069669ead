"""What is wrong with one host's variables is an error of that host, not the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inventory_corpus import encrypt

from ipvs_audit.inventory import InventoryError, read_inventory
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.connect import Settings, open_connection

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "    good: {ansible_host: 192.0.2.1}\n"
BAD = [
    ("{ansible_host: '{{ nosuch }}'}", "ansible_host does not resolve: 'nosuch' is undefined"),
    ("{ansible_host: '{{ nosuch'}", "ansible_host does not resolve"),
    ("{ansible_port: ssh}", "ansible_port must be a port number, not 'ssh'"),
    ("{ansible_user: [a]}", "ansible_user must be text, not a list"),
    ("{ansible_become: true, ansible_become_method: su}", "with sudo only"),
    ("{ipvs_audit_exclude: '{{ nosuch }}'}", "ipvs_audit_exclude does not resolve"),
    ("{ipvs_audit_ack: '{{ nosuch }}'}", "ipvs_audit_ack does not resolve"),
]


def written(folder: Path, host: str) -> str:
    path = folder / "hosts.yml"
    path.write_text(f"all:\n  hosts:\n{GOOD}    bad: {host}\n")
    return str(path)


@pytest.mark.parametrize(("host", "says"), BAD)
def test_one_host_is_an_error_and_the_others_are_audited(
    host: str, says: str, tmp_path: Path
) -> None:
    good, bad = read_inventory([written(tmp_path, host)]).targets
    assert (good.unusable, good.address) == (None, "192.0.2.1")
    assert bad.unusable is not None
    assert bad.unusable.startswith("host bad: ")
    assert says in bad.unusable
    assert "hosts.yml:4" in bad.unusable


def test_nothing_is_connected_to_for_such_a_host(tmp_path: Path) -> None:
    bad = read_inventory([written(tmp_path, "{ansible_host: '{{ nosuch }}'}")]).targets[1]
    with pytest.raises(TransportError, match="'nosuch' is undefined") as refused:
        open_connection(bad, Settings())
    assert refused.value.kind == "configuration"


def test_a_vault_without_its_password_is_an_error_of_the_hosts_that_need_it(
    tmp_path: Path,
) -> None:
    value = encrypt(tmp_path, "hunter2", "ansible_password").replace("\n", "\n      ")
    path = tmp_path / "hosts.yml"
    path.write_text(f"all:\n  hosts:\n{GOOD}    bad:\n      {value}\n")
    good, bad = read_inventory([str(path)]).targets
    assert good.unusable is None
    assert "give the password with --vault-password-file" in str(bad.unusable)


def test_an_excluded_host_stays_excluded(tmp_path: Path) -> None:
    host = "{ansible_host: '{{ nosuch }}', ipvs_audit_exclude: on loan}"
    assert read_inventory([written(tmp_path, host)]).targets[1].excluded == "on loan"


def test_where_no_host_is_left_the_run_ends(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    path.write_text(
        "all: {hosts: {a: , b: , c: {ipvs_audit_exclude: gone}}, vars: {ansible_port: ssh}}\n"
    )
    with pytest.raises(InventoryError, match=r"host a: .*; none of the 2 hosts can be used"):
        read_inventory([str(path)])


def test_a_setting_of_the_audit_that_does_not_exist_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="did you mean ipvs_audit_exclude"):
        read_inventory([written(tmp_path, "{ipvs_audit_exlude: x}")])
