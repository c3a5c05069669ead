"""What is wrong with an inventory is one message: the place, the way out, and no secret."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.inventory import InventoryError, read_inventory
from ipvs_audit.inventory.ansible_messages import without_quotations

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2"

MALFORMED = [
    # name, content, what the message says (after the folder)
    ("empty.yml", "", "empty.yml: the inventory is empty"),
    ("comment.yml", "# all\n", "comment.yml: the inventory is empty"),
    ("empty.ini", "", "empty.ini: the inventory holds no host"),
    ("none.yml", "all:\n  vars: {a: 1}\n", "none.yml: the inventory holds no host"),
    ("typo.yml", "all:\n  host:\n    web1:\n", "Skipping unexpected key (host) in group (all)"),
    ("tabs.yml", "all:\n\thosts:\n\t\tweb1: hunter2\n", "tabs.yml:2:1: while scanning"),
    ("quote.yml", "all:\n  hosts:\n    web1: {ansible_password: 'hunter2\n", "quote.yml:4:1: "),
    ("colon.yml", "all:\n  hosts:\n    web1: hunter2: x\n", "colon.yml:3:18: mapping values"),
    ("alias.yml", "all: {hosts: {web1: {ansible_password: *hunter2 }}}\n", "alias.yml:1:12: "),
    ("tag.yml", "all: {hosts: {web1: {ansible_password: !hunter2 x}}}\n", "tag.yml:1:12: "),
    ("twice.yml", "all:\n  hosts:\n    web1:\n  hosts:\n    web2:\n",
     "twice.yml:4:3: duplicate 'hosts'"),
    ("host-twice.yml", "all:\n  hosts:\n    web1:\n    web1: {a: 1}\n",
     "host-twice.yml:4:5: duplicate 'web1'"),
    ("list.yml", "- hunter2\n", "list.yml: YAML inventory has invalid structure"),
    ("items.yml", "all:\n  hosts:\n    - hunter2\n", "items.yml: hosts, children and vars are"),
    ("word.yml", "hunter2\n", "word.yml: YAML inventory has invalid structure"),
    ("number.yml", "all: {hosts: {1: {}}}\n", "number.yml: a host or group name is a number"),
    ("loop.yml", "a: {children: {b: {children: {a: }}}}\n", "loop.yml: a group is among its own"),
    ("plugin.yml", "plugin: no.such.plugin\nkey: hunter2\n", "unknown plugin 'no.such.plugin'"),
    ("cut.json", '{"all": {"hosts": {"web1": {"ansible_password": "hunter2"', "cut.json:2:1: "),
    ("word.ini", "[web]\nweb1 ansible_password=x hunter2\n", "word.ini:2: Expected key=value"),
    ("quote.ini", "[web]\nweb1 ansible_password='hunter2\n", "quote.ini:2: a quotation mark"),
    ("vars.ini", "[a]\nweb1\n[a:vars]\npassword hunter2\n", "vars.ini:4: Expected key=value"),
    ("section.ini", "[w eb]\nweb1\n", "section.ini:1: Invalid section entry"),
    ("kind.ini", "[web:foo]\nweb1\n", "kind.ini:1: Section [web:foo] has unknown type"),
    ("child.ini", "[a:children]\nnosuch\n", "child.ini:1: Section [a:children] includes undefined"),
    ("open.ini", "[web\nweb1\n", "open.ini: a bracket is not closed"),
    ("nul.yml", "all:\0\n", "nul.yml: unacceptable character"),
    ("port.ini", "web1 ansible_port=x\n", "must be a port number, not 'x' (port.ini:1)"),
    ("port.yml", "all:\n  hosts:\n    web1:\n      ansible_port: true\n",
     "must be a port number, not True (port.yml:4:7)"),
    ("undefined.yml", "all: {hosts: {web1: {ansible_host: '{{ nosuch }}'}}}\n",
     "web1: ansible_host does not resolve: 'nosuch' is undefined (undefined.yml:1:36)"),
    ("syntax.yml", "all: {hosts: {web1: {ansible_host: '{{ nosuch'}}}\n", "ansible_host does not"),
    ("filter.yml", "all: {hosts: {web1: {ansible_user: \"{{ 'hunter2' | nosuch }}\"}}}\n",
     "No filter named 'nosuch'"),
    ("self.yml", "all: {hosts: {web1: {ansible_host: '{{ ansible_host }}'}}}\n", "not resolve"),
    ("file.yml", "all: {hosts: {w: {p: hunter2, ansible_user: \"{{ lookup('file', p) }}\"}}}\n",
     "host w: ansible_user does not resolve: "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "says"), MALFORMED, ids=[name for name, _, _ in MALFORMED]
)
def test_malformed(
    name: str, content: str, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InventoryError) as refused:
        read_inventory([str(path)])
    message = str(refused.value)
    assert says in message.replace(f"{tmp_path}/", "")
    assert SECRET not in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


SCRIPTS = [
    ("fails", "#!/bin/sh\necho 'token hunter2' >&2; exit 3\n", "the script failed"),
    ("garbled", '#!/bin/sh\necho \'{"p": "hunter2"\'\n', "prints no JSON"),
    ("silent", "#!/bin/sh\n", "prints no JSON"),
    ("list", "#!/bin/sh\necho '[1]'\n", "prints no JSON object"),
    ("lost", "#!/no/such/interpreter\nweb1\n", "cannot be run"),
    ("yaml.yml", "#!/bin/sh\nexit 1\n", "the script failed"),
]


@pytest.mark.parametrize(("name", "content", "says"), SCRIPTS, ids=[name for name, _, _ in SCRIPTS])
def test_a_broken_script_is_not_read_as_text(
    name: str, content: str, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_text(content)
    path.chmod(0o755)
    with pytest.raises(InventoryError, match=says) as refused:
        read_inventory([str(path)])
    assert SECRET not in str(refused.value)
    assert capfd.readouterr() == ("", "")


BINARY = {
    "noise": random.Random(1).randbytes(4096),  # noqa: S311
    "every-byte": bytes(range(256)),
    "latin-1": "w\xfcrzburg:\n".encode("latin-1"),
    "a-program": b"\x7fELF\x02\x01\x01\0\0",
}


@pytest.mark.parametrize("kind", BINARY)
@pytest.mark.parametrize("name", ["hosts.yml", "hosts"])
def test_binary(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BINARY[kind])
    with pytest.raises(InventoryError, match=name):
        read_inventory([str(path)])


def test_a_source_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("x")
    (tmp_path / "dangling").symlink_to("/no/such")
    os.mkfifo(tmp_path / "fifo")
    for source, says in {
        "": "is empty",
        "/no/such.yml": "/no/such.yml: no such inventory",
        "web1": "web1: no such inventory .for one host: 'web1,'.",
        str(tmp_path / "dangling"): "no such inventory",
        str(tmp_path / "empty"): "the directory holds no inventory",
        str(tmp_path / "docs"): "the directory holds no inventory",
        str(tmp_path / "fifo"): "write this stream to a file first",
        "/dev/zero": "write this stream to a file first",
        "a\0b": "cannot read the inventory",
        ",": "holds no host",
        "-it,": "its name cannot be used as an address",
    }.items():
        with pytest.raises(InventoryError, match=says):
            read_inventory([source])
    with pytest.raises(InventoryError, match="no inventory was given"):
        read_inventory([])


def test_one_bad_file_in_a_directory_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("all: {hosts: {web1: }}\n")
    (tmp_path / "b.yml").write_text("all:\n\thosts:\n")
    with pytest.raises(InventoryError, match=r"b\.yml:2:1: "):
        read_inventory([str(tmp_path)])


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    with path.open("wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(InventoryError, match=r"1,099,511,627,776 bytes is too large"):
        read_inventory([str(path)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    path.write_text("all:\n")
    path.chmod(0)
    with pytest.raises(InventoryError, match="permission denied"):
        read_inventory([str(path)])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a: [\nansible_password: hunter2\n", r"all\.yml:3:1: while parsing a flow sequence"),
        ("- hunter2\n", r"all\.yml: it must hold a mapping of variables"),
        ("{{ hunter2 }}: 1\n", r"all\.yml:1:\d+: "),
    ],
)
def test_a_broken_variable_file(content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(content)
    (tmp_path / "hosts").write_text("web1\n")
    with pytest.raises(InventoryError, match=says) as refused:
        read_inventory([str(tmp_path / "hosts")])
    assert SECRET not in str(refused.value)


def test_a_variable_set_twice_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("rack: 1\nrack: 2\n")
    (tmp_path / "hosts").write_text("web1\n")
    warnings = read_inventory([str(tmp_path / "hosts")]).warnings
    assert warnings == (
        f"{tmp_path}/group_vars/all.yml:2:1: duplicate 'rack'; the last one counts",
    )


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("wbe1", "matches none of the 2 hosts in web1,web2,: .*did you mean web1?"),
        ("!all", "its hosts and groups are web1, web2"),
        ("localhost", "matches none of the 2 hosts"),
        ("", "--limit is empty"),
        ("  ", "--limit is empty"),
        ("@/no/such", "Unable to find limit file b'/no/such'"),
        ("@/", "directory"),
        ("~[", "a bracket is not closed"),
        ("web1[7]", "list index out of range"),
    ],
)
def test_a_limit_that_selects_nobody(limit: str, says: str) -> None:
    with pytest.raises(InventoryError, match=says):
        read_inventory(["web1,web2,"], limit=limit)


def test_an_unknown_name_in_a_limit_is_a_warning() -> None:
    inventory = read_inventory(["web1,web2,"], limit="web1:wbe2")
    assert [target.name for target in inventory.targets] == ["web1"]
    assert inventory.warnings == ("--limit: no host or group matches wbe2; did you mean web2?",)


def test_a_script_heard_on_stderr_is_a_warning_without_its_passwords(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    said = {"w": {"hosts": ["w1"], "vars": {"ansible_password": SECRET}}, "_meta": {"hostvars": {}}}
    path.write_text(
        f"#!/bin/sh\necho 'cn-x timed out for {SECRET}' >&2\necho '{json.dumps(said)}'\n"
    )
    path.chmod(0o755)
    (warning,) = read_inventory([str(path)]).warnings
    assert "cn-x timed out for ***" in warning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Error parsing host definition 'web1 p='hunter2': No closing quotation",
         "Error parsing host definition '...': No closing quotation"),
        ("Error parsing 'web1 p=a' hunter2': No closing", "Error parsing"),
        ('bad "hunter2"', "bad '...'"),
        ("bad `hunter2`", "bad '...'"),
        ("can't do", "can't do"),
        ("expected ',' or ']'", "expected ',' or ']'"),
        ("hostvars['bastion'] is undefined", "hostvars['bastion'] is undefined"),
        ("Expected key=value, got: hunter2 'x", "Expected key=value"),
        ("found undefined alias hunter2", ""),
    ],
)  # fmt: skip
def test_quotations_are_left_out(text: str, expected: str) -> None:
    assert without_quotations(text) == expected


def test_a_key_that_overrides_a_merged_one_is_no_duplicate(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    text = (
        "all:\n  vars: {d: &d {ansible_port: 1}}\n  hosts:\n    a: {<<: *d, ansible_port: 22%s}\n"
    )
    path.write_text(text % "")
    inventory = read_inventory([str(path)])
    assert (inventory.targets[0].port, inventory.warnings) == (22, ())
    path.write_text(text % ", ansible_port: 23")
    with pytest.raises(InventoryError, match=r"hosts\.yml:4:\d+: duplicate"):
        read_inventory([str(path)])


@pytest.mark.parametrize("folder", ["group_vars", "host_vars", "."])
@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_what_could_not_be_read_to_its_end_is_refused_unread(
    kind: str, folder: str, tmp_path: Path
) -> None:
    """A pipe of whose writer nobody knows, an endless device, a file larger than memory."""
    (tmp_path / "hosts.yml").write_text("all:\n  hosts:\n    web1:\n")
    path = tmp_path / folder / "web1.yml"
    path.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(1 << 35)
    source = tmp_path if folder == "." else tmp_path / "hosts.yml"
    with pytest.raises(InventoryError, match=r"web1\.yml: (remove it|34,359,738,368 bytes)"):
        read_inventory([str(source)])
