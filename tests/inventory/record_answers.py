"""Ask Ansible about every shape, and write what it says to ``answers.json``.

Run it where a shape is new or ansible-core has changed::

    PYTHONPATH=tests/support .venv/bin/python tests/inventory/record_answers.py [NAME...]

Run it where there is no ansible.cfg and no ``ANSIBLE_*`` variable. Each shape is asked about in a
process of its own, by Ansible's own code: its ``ansible-inventory
--list``, and the options that its connection and become plugins would have for each host. Nothing
of this suite takes part but the text of the shapes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from inventory_shapes import ANSWERS, NAMES, Shape, environment, groups_of, shape

#: Ansible's names of what a Target holds.
_OPTIONS = {
    "address": ("host", "remote_addr"),
    "port": ("port",),
    "user": ("remote_user",),
    "key_file": ("private_key_file",),
    "password": ("password",),
    "proxy_command": ("proxy_command",),
}
#: Imported once, for all shapes that have no settings.
_ONCE = (
    "ansible.cli.inventory", "ansible.plugins.connection.ssh", "ansible.plugins.become.sudo",
    "ansible.plugins.connection.paramiko_ssh", "ansible.plugins.inventory.yaml",
    "ansible.plugins.inventory.ini", "ansible.plugins.vars.host_group_vars", "ansible.template",
)  # fmt: skip
_ARGS = ("ssh_args", "ssh_common_args", "ssh_extra_args")


def main(names: list[str]) -> None:
    """Record the shapes named, or all."""
    answers = json.loads(ANSWERS.read_text("utf-8")) if ANSWERS.exists() else {}
    for asked in map(shape, names or NAMES):
        with TemporaryDirectory() as folder:
            asked.write(Path(folder), mark=False)
            answers[asked.name] = _asked(asked, Path(folder))
        print(asked.name, len(answers[asked.name]), flush=True)  # noqa: T201
        kept = {name: answers[name] for name in NAMES if name in answers}
        text = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
        ANSWERS.write_text(text + "\n", "utf-8")


def _asked(asked: Shape, folder: Path) -> Any:  # JSON
    variables = environment(asked, folder)
    if not asked.has_settings:  # then Ansible need not be imported anew, which takes seconds
        said, write = os.pipe()
        if not os.fork():
            os.chdir(folder)
            os.environ.update(variables)
            with os.fdopen(write, "w") as out:
                json.dump(answer(asked), out)
            os._exit(0)
        os.close(write)
        with os.fdopen(said) as text:
            answered = text.read()
        os.wait()
        return json.loads(answered)
    done = subprocess.run(
        [sys.executable, __file__, "--one", asked.name], cwd=folder, env=variables,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{asked.name}: {done.stderr}")
    return json.loads(done.stdout)


def answer(asked: Shape) -> dict[str, Any]:
    """What Ansible reads in the working directory."""
    from ansible.cli.inventory import InventoryCLI  # noqa: PLC0415  # reads its settings now

    words = ["ansible-inventory", "--list"]
    for source in asked.sources:
        words += ["-i", source]
    cli = InventoryCLI(words)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        cli.run()
    listed = json.loads(printed.getvalue())
    variables = listed["_meta"]["hostvars"]
    return {
        str(host.name): {
            "groups": groups_of(listed, host.name),
            "variables": _plain(variables.get(host.name, {})),
            "reach": _reach(cli, host),
        }
        for host in cli.inventory.get_hosts("all")
        if not host.implicit
    }


def _plain(value: Any) -> Any:  # JSON
    if isinstance(value, dict):
        if "__ansible_unsafe" in value:
            return value["__ansible_unsafe"]
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _reach(cli: Any, host: Any) -> dict[str, Any] | None:  # Ansible's own
    """The options of the plugins that Ansible would use for a host; None where it is not SSH."""
    from ansible import constants  # noqa: PLC0415
    from ansible.module_utils.parsing.convert_bool import boolean  # noqa: PLC0415
    from ansible.plugins.loader import become_loader, connection_loader  # noqa: PLC0415
    from ansible.template import Templar  # noqa: PLC0415
    from ansible.vars.hostvars import HostVars  # noqa: PLC0415

    HostVars(cli.inventory, cli.vm, cli.loader)  # the manager keeps it
    variables = cli.vm.get_vars(host=host)
    templar = Templar(cli.loader, variables)
    known = {
        name: templar.template(value)
        for name, value in variables.items()
        if name.startswith("ansible_") or name == "inventory_hostname"
    }
    connection = known.get("ansible_connection", constants.DEFAULT_TRANSPORT)
    name = {"smart": "ssh", "paramiko": "paramiko_ssh"}.get(connection, connection)
    if name not in {"ssh", "paramiko_ssh"}:
        return None
    connection_loader.get(name, class_only=True)
    become_loader.get("sudo", class_only=True)

    def option(kind: str, plugin: str, *names: str) -> Any:
        known_options = constants.config.get_configuration_definitions(kind, plugin)
        for each in names:
            if each in known_options:
                value, origin = constants.config.get_config_value_and_origin(
                    each, plugin_type=kind, plugin_name=plugin, variables=known
                )
                return None if origin == "default" else value or None
        return None

    reach = {key: option("connection", name, *names) for key, names in _OPTIONS.items()}
    reach["address"] = reach["address"] or host.name
    # paramiko takes no arguments of ssh; here they count for both.
    args = [option("connection", "ssh", each) for each in _ARGS]
    proxy = reach.pop("proxy_command")
    args += [f"-o 'ProxyCommand={proxy}'"] if proxy else []
    reach["ssh_args"] = " ".join(each for each in args if each)
    become = boolean(known.get("ansible_become", constants.DEFAULT_BECOME))
    reach["become_user"] = (option("become", "sudo", "become_user") or "root") if become else None
    reach["become_password"] = option("become", "sudo", "become_pass") if become else None
    return reach


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        json.dump(answer(shape(sys.argv[2])), sys.stdout)
    else:
        for module in _ONCE:
            import_module(module)
        main(sys.argv[1:])
