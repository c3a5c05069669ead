"""Inventories of every kind that Ansible reads, written into a folder by name."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BIN = Path(sys.executable).parent
VAULT_PASSWORD = "open sesame"

YAML = """\
all:
  vars:
    ansible_user: audit
    rack: none
  children:
    web:
      hosts:
        web[01:20].example.com:
        web21.example.com:
          ansible_port: 2222
          rack: r7
      vars:
        ansible_become: yes
        nested: {a: [1, 2.5, null], b: {c: true}}
    odd:
      hosts:
        "::1":
        "[fe80::1]:2222":
        bücher.example.com: {note: "größe"}
        10.0.0.1: {ansible_host: 10.0.0.1}
        db-[a:c]:
    sites:
      children:
        hangzhou:
          hosts: {web01.example.com: {site: hz}, web21.example.com: }
          vars: {site: overridden, ansible_group_priority: 5}
        beijing:
          hosts: {web02.example.com: , web21.example.com: }
          vars: {site: bj}
      vars: {site: somewhere}
"""

INI = """\
lonely ansible_host=192.0.2.1
[web]
web[1:3] ansible_port=22 weight=1.5 on=True
quoted note="two words" list="[1, 'b']" digits='"007"'
with_port:2222
[db]
db1 ansible_become=False
[db:vars]
ansible_user=postgres
note = text with = and # no comment
[prod:children]
web
db
[prod:vars]
stage=prod
"""

SCRIPT = """\
#!/bin/sh
cat <<'END'
{"web": {"hosts": ["s1", "s2"],
         "vars": {"ansible_user": "from-script", "t": "{{ inventory_hostname }}"}},
 "top": {"children": ["web"]},
 "_meta": {"hostvars": {"s1": {"ansible_port": 2022}, "s2": {"tags": ["a", "b"]}}}}
END
"""

CONSTRUCTED = """\
plugin: ansible.builtin.constructed
strict: true
compose:
  ansible_host: inventory_hostname ~ '.mgmt'
groups:
  even: inventory_hostname is search('[02468]$')
keyed_groups:
  - key: rack
    prefix: rack
"""


def _put(folder: Path, name: str, text: str, mode: int = 0o644) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@cache
def _encrypted(text: str, name: str | None) -> str:
    what = ["encrypt_string", "--stdin-name", name] if name else ["encrypt", "--output=-"]
    with TemporaryDirectory() as folder:
        password = _put(Path(folder), ".password", VAULT_PASSWORD + "\n")
        done = subprocess.run(
            [BIN / "ansible-vault", *what, "--vault-password-file", password],
            input=text, capture_output=True, text=True, check=True, cwd=folder,
        )  # fmt: skip
    return done.stdout


def encrypt(folder: Path, text: str, name: str | None = None) -> str:
    """Encrypt a whole file, or one value for a variable of that name; leaves `.password` behind."""
    _put(folder, ".password", VAULT_PASSWORD + "\n")
    return _encrypted(text, name)


def yaml_file(folder: Path) -> list[str]:
    return [str(_put(folder, "hosts.yml", YAML))]


def json_file(folder: Path) -> list[str]:
    text = (
        '{"all": {"children": {"g": {"hosts": {"j1": {"x": 1}, "j2": null}, "vars": {"y": "z"}}}}}'
    )
    return [str(_put(folder, "hosts.json", text))]


def ini_file(folder: Path) -> list[str]:
    return [str(_put(folder, "hosts", INI))]


def toml_file(folder: Path) -> list[str]:
    return [str(_put(folder, "hosts.toml", "[web]\nhosts = {t1 = {x = 1}}\n[web.vars]\ny = 'z'\n"))]


def host_list(_folder: Path) -> list[str]:
    return ["web1,web2:2222,192.0.2.7,"]


def script(folder: Path) -> list[str]:
    return [str(_put(folder, "hosts.sh", SCRIPT, 0o755))]


def executable_yaml(folder: Path) -> list[str]:
    return [str(_put(folder, "hosts.yml", "all: {hosts: {x1: {a: 1}}}\n", 0o755))]


def variable_files(folder: Path) -> list[str]:
    _put(folder, "group_vars/all.yml", "rack: from-all-file\nansible_port: 1022\n")
    _put(folder, "group_vars/web/a.yml", "rack: from-web-a\n")
    _put(folder, "group_vars/web/b.yml", "rack: from-web-b\nnested: {only: this}\n")
    _put(folder, "group_vars/.hidden.yml", "rack: hidden\n")
    _put(folder, "host_vars/web01.example.com.yml", "rack: from-host-file\n")
    _put(folder, "host_vars/lonely", "rack: no-suffix\n")
    return [str(_put(folder, "hosts.yml", YAML)), str(_put(folder, "more", INI))]


def directory(folder: Path) -> list[str]:
    _put(folder, "d/10-hosts.yml", YAML)
    _put(folder, "d/20-hosts", INI)
    _put(folder, "d/30-script", SCRIPT, 0o755)
    _put(folder, "d/README.md", "not an inventory\n")
    _put(folder, "d/sub/more.yml", "web: {hosts: {deep: }}\n")
    _put(folder, "d/group_vars/all", "rack: from-dir\n")
    _put(folder, "d/host_vars/deep.yml", "rack: from-host-dir\n")
    return [str(folder / "d")]


def constructed(folder: Path) -> list[str]:
    _put(folder, "d/10-hosts.yml", YAML)
    _put(folder, "d/90-constructed.yml", CONSTRUCTED)
    return [str(folder / "d")]


def vaulted(folder: Path) -> list[str]:
    _put(folder, "group_vars/all/vault.yml", encrypt(folder, "vault_password: whole-file\n"))
    value = encrypt(folder, "single-value", "ansible_become_password")
    _put(folder, "group_vars/all/plain.yml", value + 'ansible_password: "{{ vault_password }}"\n')
    return [str(_put(folder, "hosts", "v1\nv2 ansible_become=yes\n"))]


def anchors(folder: Path) -> list[str]:
    text = "x: &x {hosts: {h1: &v {a: 1}, h2: *v}}\ny: {children: {x: }, vars: {<<: *v, b: 2}}\n"
    return [str(_put(folder, "hosts.yml", text))]


CORPUS: dict[str, Callable[[Path], list[str]]] = {
    each.__name__: each
    for each in (
        yaml_file, json_file, ini_file, toml_file, host_list, script, executable_yaml,
        variable_files, directory, constructed, vaulted, anchors,
    )
}  # fmt: skip
