"""Reading an inventory prints nothing, and depends on nothing that nobody named."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.inventory import Inventory, InventoryError, read_inventory

if TYPE_CHECKING:
    from pathlib import Path

READ = """
import os, sys
from pathlib import Path
from ipvs_audit.inventory import NO_SETTINGS, InventoryError, read_inventory
try:
    inventory = read_inventory(sys.argv[1:], settings=NO_SETTINGS if "OFF" in os.environ else None)
    said = [(t.name, t.user, t.port) for t in inventory.targets]
except InventoryError as error:
    said = str(error)
Path("said").write_text(ascii(said))
assert sys.stdout.errors != "_replacing_warning_handler"
"""


def read_elsewhere(folder: Path, *sources: str, **environment: str) -> str:
    """Read in a process of its own, started in a folder; what it prints is an error."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "LC_", "LANG"))}
    done = subprocess.run(
        [sys.executable, "-c", READ, *sources], capture_output=True, cwd=folder, check=False,
        env=clean | environment,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"", b"")
    assert done.returncode == 0
    return (folder / "said").read_text()


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    (tmp_path / "inventory").mkdir()
    path = tmp_path / "inventory" / "hosts.yml"
    path.write_text(
        "all: {hosts: {bücher: {ansible_user: jürgen, a: '{{ 1 }}'}, web1: }}\n", "utf-8"
    )
    return path


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "nowhere.ISO-8859-1", "PYTHONUTF8": "0"},
        {},
    ],
)
def test_any_locale_will_do(hosts: Path, tmp_path: Path, locale: dict[str, str]) -> None:
    said = read_elsewhere(tmp_path, str(hosts), **locale)
    assert said == "[('b\\xfccher', 'j\\xfcrgen', None), ('web1', None, None)]"


def test_the_group_vars_of_the_working_directory_do_not_count(hosts: Path, tmp_path: Path) -> None:
    start = tmp_path / "start"
    (start / "group_vars").mkdir(parents=True)
    (start / "group_vars" / "all.yml").write_text("ansible_port: 666\n")
    assert "('web1', None, None)" in read_elsewhere(start, str(hosts))


def test_nothing_of_ansible_cfg_counts_where_it_is_turned_off(hosts: Path, tmp_path: Path) -> None:
    start = tmp_path / "start"
    (start / "plugins").mkdir(parents=True)
    (start / "plugins" / "evil.py").write_text("open('evil', 'w')\n")
    (start / "ansible.cfg").write_text(
        "[defaults]\nremote_user = cfg\ninventory_plugins = plugins\nvars_plugins = plugins\n"
        "callback_plugins = plugins\nfilter_plugins = plugins\n[inventory]\nenable_plugins = evil\n"
    )
    off = {"HOME": str(start), "OFF": "1", "ANSIBLE_REMOTE_PORT": "77"}
    assert "('web1', None, None)" in read_elsewhere(start, str(hosts), **off)
    assert not (start / "evil").exists()


def test_plugins_of_the_ansible_cfg_in_the_working_directory_count(
    hosts: Path, tmp_path: Path
) -> None:
    start = tmp_path / "start"
    start.mkdir()
    (start / "ansible.cfg").write_text("[inventory]\nenable_plugins = ini\n")
    assert "hosts.yml: " in read_elsewhere(start, str(hosts))


def test_settings_that_the_environment_names_count(hosts: Path, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text("[inventory]\nenable_plugins = ini\n")
    said = read_elsewhere(tmp_path, str(hosts), ANSIBLE_CONFIG=str(tmp_path / "my.cfg"))
    assert "hosts.yml: " in said
    said = read_elsewhere(tmp_path, str(hosts), ANSIBLE_CONFIG="/no/such.cfg")
    assert said == "'ANSIBLE_CONFIG names /no/such.cfg, which does not exist: unset it'"


def test_variables_of_a_plugin_that_the_settings_name_count(hosts: Path, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "ports.py").write_text(
        "from ansible.plugins.vars import BaseVarsPlugin\n"
        "class VarsModule(BaseVarsPlugin):\n"
        "    def get_vars(self, loader, path, entities):\n"
        "        return {'ansible_port': 2022} if entities[0].name == 'web1' else {}\n"
    )
    (tmp_path / "my.cfg").write_text(f"[defaults]\nvars_plugins = {tmp_path / 'plugins'}\n")
    said = read_elsewhere(tmp_path, str(hosts), ANSIBLE_CONFIG=str(tmp_path / "my.cfg"))
    assert "('web1', None, 2022)" in said


def test_settings_that_ansible_refuses_are_an_error(hosts: Path, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text("[defaults\n")
    said = read_elsewhere(tmp_path, str(hosts), ANSIBLE_CONFIG=str(tmp_path / "my.cfg"))
    assert "my.cfg" in said


def test_this_process_keeps_its_streams_and_its_environment(
    hosts: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (sys.stdout, sys.stderr, dict(os.environ))
    read_inventory([str(hosts)])
    assert (sys.stdout, sys.stderr, dict(os.environ)) == before
    assert capfd.readouterr() == ("", "")


def test_a_second_reading_sees_what_changed(hosts: Path) -> None:
    first = read_inventory([str(hosts)])
    (hosts.parent / "host_vars").mkdir()
    (hosts.parent / "host_vars" / "web1.yml").write_text("ansible_port: 7\n")
    second = read_inventory([str(hosts)])
    (hosts.parent / "host_vars" / "web1.yml").write_text("ansible_port: 8\n")
    third = read_inventory([str(hosts)])
    assert [each.targets[1].port for each in (first, second, third)] == [None, 7, 8]
    assert len({each.sha256 for each in (first, second, third)}) == 3


class TestDigest:
    def test_does_not_depend_on_where_the_files_lie_or_on_the_limit(self, tmp_path: Path) -> None:
        digests = set()
        for place in ("here", "there/and/deep"):
            folder = tmp_path / place
            (folder / "group_vars").mkdir(parents=True)
            (folder / "group_vars" / "all").write_text("a: 1\n")
            (folder / "hosts").write_text("web1\nweb2\n")
            digests.add(read_inventory([str(folder / "hosts")]).sha256)
            digests.add(read_inventory([str(folder / "hosts")], limit="web1").sha256)
        assert len(digests) == 1

    def test_changes_with_what_a_script_says(self, tmp_path: Path) -> None:
        def read() -> Inventory:
            return read_inventory([str(script)])

        script = tmp_path / "hosts"
        script.write_text("#!/bin/sh\ncat ${0%/*}/.said\n")
        script.chmod(0o755)
        said = tmp_path / ".said"
        said.write_text('{"g": {"hosts": ["web1"]}, "_meta": {"hostvars": {}}}')
        first, again = read().sha256, read().sha256
        said.write_text('{"g": {"hosts": ["web1"]}, "_meta": {"hostvars": {"web1": {"a": 1}}}}')
        assert first == again != read().sha256

    def test_of_a_host_list_is_of_the_list(self) -> None:
        assert read_inventory(["a,b,"]).sha256 == read_inventory(["a,b,"]).sha256
        assert read_inventory(["a,b,"]).sha256 != read_inventory(["a,c,"]).sha256


def test_sources_add_up_and_keep_their_order(hosts: Path) -> None:
    inventory = read_inventory([str(hosts), "web9,web1,"])
    assert [target.name for target in inventory.targets] == ["bücher", "web1", "web9"]
    assert inventory.sources == (str(hosts), "web9,web1,")


def test_no_plugin_reads_one_bad_source_beside_good_ones(hosts: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("[web]\n")
    with pytest.raises(InventoryError, match=r"bad\.yml"):
        read_inventory([str(hosts), str(tmp_path / "bad.yml")])


def test_group_vars_are_read_after_a_list_of_hosts_in_the_same_process(tmp_path: Path) -> None:
    """ansible-core enables the plugin for them once in a process, which a list must not prevent."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("ansible_port: 7\n")
    (tmp_path / "hosts").write_text("web1\n")
    program = (
        "from ipvs_audit.inventory import read_inventory\n"
        "for source in ('web1,', 'hosts'):\n"
        "    print(read_inventory([source]).targets[0].port)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["None", "7"]
