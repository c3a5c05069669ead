"""What Ansible warned about, sorted into errors and warnings.

An audit must not lose hosts quietly. Ansible passes over a source that it cannot read and takes
the last of two equal keys; here, both end the run.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.inventory.merge_keys import overrides_a_merge
from ipvs_audit.model.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipvs_audit.inventory.ansible_isolation import CapturedOutput
    from ipvs_audit.inventory.ansible_messages import Message

_NO_PATTERN = "Could not match supplied host pattern, ignoring: "
_NO_INVENTORY = "No inventory was parsed"
_DUPLICATE = "Found duplicate mapping key "
_VARIABLE_FOLDERS = ("/group_vars/", "/host_vars/")
_FEW = 5

# What Ansible says, and what is meant by it.
_REWORDED = (
    ("Parsed empty YAML file", "the inventory is empty"),
    ("surrogates not allowed", "it is not UTF-8 text"),
    ("codec can't decode", "it is not UTF-8 text"),
    ("is not iterable", "a host or group name is a number: put it in quotes"),
    ("must be a string. Enclose", "a host name is a number: put it in quotes"),
    ("returned non-zero exit code", "the script failed: run it by hand to see why"),
    ("Failed to execute inventory script", "the script cannot be run: check its #! line"),
    ("could not be parsed as JSON", "the script prints no JSON: run it with --list"),
    (
        "Unable to get JSON decoder",
        "the script prints no JSON object: run it with --list",
    ),
    ("No closing quotation", "a quotation mark is not closed"),
    ("expected dicts but got", "it must hold a mapping of variables"),
    ("not enough values to unpack", "a bracket is not closed"),
    ("recursive dependency loop", "a group is among its own children"),
    (
        "requires a dictionary",
        "hosts, children and vars are mappings: 'web1:', not '- web1'",
    ),
)


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
        elif (
            event.text.startswith(_DUPLICATE)
            and not any(folder in event.place for folder in _VARIABLE_FOLDERS)
            and not overrides_a_merge(event.place)
        ):
            raise InventoryError(
                f"{event.place}: duplicate {_repeated(event)}, of which Ansible would drop "
                "the first: merge them"
            )


def refuse_empty_limit(limit: str) -> None:
    """End the run for a limit that Ansible would take for every host.

    Raises:
        InventoryError: for an empty limit, and for one whose brackets do not match.
    """
    if not limit.strip():
        raise InventoryError("--limit is empty: leave it out to audit every host")
    if limit.count("[") != limit.count("]"):
        raise InventoryError(f"--limit {limit!r}: a bracket is not closed")


def unreadable(failure: Message) -> InventoryError:
    """The error for what made Ansible give up."""
    where = failure.place or _file_in(failure) or "the inventory"
    if failure.mentions("no vault secrets found") or failure.mentions("vault password must be"):
        return InventoryError(
            f"{where}: encrypted with Ansible Vault: give the password with --vault-password-file"
        )
    if failure.mentions("Decryption failed"):
        return InventoryError(
            f"{where}: cannot be decrypted with this vault password: check --vault-password-file"
        )
    return InventoryError(f"{where}: {_reworded(failure)}")


def warnings_from(captured: CapturedOutput, names: Sequence[str]) -> tuple[str, ...]:
    """What the user should know, in order, each once."""
    lines: list[str] = []
    for event in captured.events:
        if event.failed_plugin or event.text.startswith(_NO_INVENTORY):
            continue
        if event.text.startswith(_NO_PATTERN):
            lines.append(_unknown_pattern(event.text.removeprefix(_NO_PATTERN), names))
        elif event.text.startswith(_DUPLICATE) and overrides_a_merge(event.place):
            continue
        elif event.text.startswith(_DUPLICATE):
            lines.append(f"{event.place}: duplicate {_repeated(event)}; the last one counts")
        elif event.text.startswith("Skipping "):  # names keys and groups, never values
            lines.append(event.text)
        else:
            lines.append(str(event))
    lines.extend(line for line in captured.printed.splitlines() if line.strip())
    return tuple(dict.fromkeys(lines))


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
    hosts = counted(total, "host")
    hints = "; ".join(line for line in warnings if line.startswith("--limit"))
    some = ", ".join(names[:_FEW]) + (", ..." if len(names) > _FEW else "")
    return InventoryError(
        f"--limit {limit!r} matches none of the {hosts} in {where}: "
        + (hints.replace("--limit: ", "") or f"its hosts and groups are {some}")
    )


def _unread(source: str, failures: Sequence[Message]) -> str:
    """Of all plugins that tried, quote the one that the user had in mind."""
    path = Path(source)
    if not failures:
        return f"{source}: " + (
            "the directory holds no inventory" if path.is_dir() else "not an inventory"
        )
    for each in failures:
        if each.mentions("vault secrets") or each.mentions("Decryption failed"):
            return str(unreadable(each))
    tried = {str(each.failed_plugin): each for each in failures}
    order: tuple[str, ...] = ("script", "yaml", "ini", "toml")
    if "yaml" in tried and tried["yaml"].mentions("Plugin configuration YAML file"):
        order = ("auto", *order)
    elif "ini" in tried and not _looks_like_yaml(path):
        order = ("script", "ini")
    failure = next((tried[name] for name in order if name in tried), failures[-1])
    place = failure.place or source
    if failure.failed_plugin == "ini" and (line := _line_in_question(path, failure)):
        place = f"{source}:{line}"
    return f"{place}: {_reworded(failure)}"


def _reworded(failure: Message) -> str:
    return next((ours for theirs, ours in _REWORDED if failure.mentions(theirs)), failure.words)


def _looks_like_yaml(path: Path) -> bool:
    """Whether a file without a telling suffix was meant as YAML: no line opens a section."""
    try:
        return not any(line.startswith(b"[") for line in path.read_bytes().splitlines())
    except OSError:
        return False


def _line_in_question(path: Path, failure: Message) -> int | None:
    """Ansible's INI plugin names no line, but repeats it: look for it. 1 is the first."""
    message = "\n".join(failure.texts)
    got = message.rpartition("got: ")[2].splitlines()[0] if "got: " in message else None
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    wholes = (n for n, line in enumerate(lines, 1) if line.strip() and line.strip() in message)
    parts = (n for n, line in enumerate(lines, 1) if got and got in line.split())
    return next(wholes, None) or next(parts, None)


def _repeated(event: Message) -> str:
    return event.text.removeprefix(_DUPLICATE).strip(".")


def _unknown_pattern(pattern: str, names: Sequence[str]) -> str:
    name = pattern.lstrip("!&")
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"--limit: no host or group matches {name}{hint}"


def _file_in(failure: Message) -> str:
    """The file that a message without a place speaks of."""
    for text in failure.texts:
        for word in text.split("'"):
            if word.startswith("/") and Path(word).is_file():
                return word
    return ""
