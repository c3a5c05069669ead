"""What Ansible warned about, sorted into errors and warnings.

An audit must not lose hosts quietly. Ansible passes over a source that it cannot read and takes
the last of two equal keys; here, both end the run.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.inventory.messages import Message, without_quotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipvs_audit.inventory.quiet import Heard

_NO_PATTERN = "Could not match supplied host pattern, ignoring: "
_NO_INVENTORY = "No inventory was parsed"
_DUPLICATE = "Found duplicate mapping key "
_VARIABLE_FOLDERS = ("/group_vars/", "/host_vars/")
_YAML = (".yml", ".yaml", ".json")


def refuse_unread_sources(events: Sequence[Message]) -> None:
    """End the run for a source that could not be read, or that hides hosts.

    Raises:
        InventoryError: for the first such source.
    """
    failures: list[Message] = []
    for event in events:
        if event.failed_plugin:
            failures.append(event)
        elif (source := event.unread_source) is not None:
            raise InventoryError(_unread(source, failures))
        elif event.text.startswith(_DUPLICATE) and not any(
            folder in event.place for folder in _VARIABLE_FOLDERS
        ):
            key = event.text.removeprefix(_DUPLICATE).strip(".")
            raise InventoryError(
                f"{event.place}: {key} is there twice, and Ansible would forget the first: "
                "merge them"
            )


def unreadable(failure: Message) -> InventoryError:
    """The error for what made Ansible give up."""
    if failure.mentions("no vault secrets found"):
        return InventoryError(
            f"{_encrypted_file(failure)} is encrypted with Ansible Vault: give its password with "
            "--vault-password-file"
        )
    if failure.mentions("Decryption failed"):
        return InventoryError(
            f"{_encrypted_file(failure)} does not open with this vault password: check the file "
            "given with --vault-password-file"
        )
    return InventoryError(str(failure))


def warnings_from(heard: Heard, names: Sequence[str]) -> tuple[str, ...]:
    """What the user should know, in order, each once."""
    said: list[str] = []
    for event in heard.events:
        if event.failed_plugin or event.text.startswith(_NO_INVENTORY):
            continue
        if event.text.startswith(_NO_PATTERN):
            said.append(_unknown_pattern(event.text.removeprefix(_NO_PATTERN), names))
        elif event.text.startswith(_DUPLICATE):
            key = event.text.removeprefix(_DUPLICATE).strip(".")
            said.append(f"{event.place}: {key} is there twice; the last one counts")
        else:
            said.append(str(event))
    said.extend(line for line in heard.printed.splitlines() if line.strip())
    return tuple(dict.fromkeys(said))


def no_host_matches(
    sources: Sequence[str],
    limit: str | None,
    total: int,
    names: Sequence[str],
    warnings: Sequence[str],
) -> InventoryError:
    """The error for an audit of nobody."""
    where = ", ".join(sources)
    if total == 0 or limit is None:
        more = f" ({warnings[0]})" if warnings else ""
        return InventoryError(f"{where}: the inventory holds no host{more}")
    hosts = "1 host" if total == 1 else f"{total:,} hosts"
    hints = "; ".join(said for said in warnings if said.startswith("--limit"))
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")  # noqa: PLR2004
    return InventoryError(
        f"--limit {limit!r} matches none of the {hosts} in {where}: "
        + (hints or f"its hosts and groups are {some}")
    )


def _unread(source: str, failures: Sequence[Message]) -> str:
    """Of all plugins that tried, quote the one that the user had in mind."""
    path = Path(source)
    for failure in failures:
        if failure.mentions("no vault secrets found") or failure.mentions("Decryption failed"):
            return str(unreadable(failure))
    by_plugin = {str(each.failed_plugin).rsplit(".", 1)[-1]: each for each in failures}
    wanted = "yaml" if path.suffix in _YAML else "toml" if path.suffix == ".toml" else "ini"
    if wanted == "yaml" and "auto" in by_plugin and by_plugin["auto"].mentions("plugin config"):
        wanted = "auto" if not by_plugin["auto"].mentions("no root 'plugin' key") else "yaml"
    if "script" in by_plugin and wanted != "yaml":
        wanted = "script"
    if not failures:
        kind = "the directory holds no inventory" if path.is_dir() else "this is no inventory"
        return f"{source}: {kind}"
    failure = by_plugin.get(wanted, failures[-1])
    if failure.mentions("Parsed empty YAML file"):
        return f"{source}: the inventory is empty"
    said = str(failure)
    return said if source in said else f"{source}: {said}"


def _unknown_pattern(pattern: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(pattern.lstrip("!&"), names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"--limit: no host or group is called {pattern.lstrip('!&')}{hint}"


def _encrypted_file(failure: Message) -> str:
    return failure.place or without_quotations(failure.text) or "the inventory"
