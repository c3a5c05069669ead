"""Compares a run's results.json with the verdicts that fleet.yml says the hosts must get."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab.fleet import Host, hosts
from lab.process import LabError

if TYPE_CHECKING:
    from pathlib import Path

SATISFIED = ("pass", "not_applicable")


def differences(results: Path) -> list[str]:
    """One line for each verdict that is not the designed one; none when the table comes out.

    Raises:
        LabError: The file cannot be read, or is not a run's results.
    """
    try:
        run = json.loads(results.read_text(encoding="utf-8"))
        seen = {host["name"]: host for host in run["hosts"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{results}: not the results of a run: {error!r}") from error
    wrong = [f"{name}: not a host of the lab" for name in seen.keys() - {h.name for h in hosts()}]
    for host in hosts():
        if host.name not in seen and host.optional:
            continue
        if host.name not in seen:
            wrong.append(f"{host.name}: missing from the results")
        else:
            wrong += _of_host(host, seen[host.name], run["run"]["required"])
    return wrong


def allowed(host: Host, control: str) -> tuple[str, ...]:
    """The verdicts that are right; none when they are not compared.

    >>> allowed(Host("h", expected={"default": "pass", "EST-5": "satisfied"}), "EST-5")
    ('pass', 'not_applicable')
    """
    wanted = host.expected.get(control, host.expected["default"])
    if wanted == "any":
        return ()
    if wanted == "satisfied":
        return SATISFIED
    return tuple(wanted) if isinstance(wanted, list) else (wanted,)


def _of_host(host: Host, seen: dict[str, Any], required: list[str]) -> list[str]:
    controls: dict[str, list[dict[str, Any]]] = {}
    for entry in seen.get("controls", []):
        controls.setdefault(entry["id"], []).append(entry)
    wrong = []
    for control in required:
        at = f"{host.name} {control}"
        entries = controls.get(control, [])
        if len(entries) != 1:
            wrong.append(f"{at}: {len(entries)} verdicts instead of one")
            continue
        verdict, message = entries[0].get("verdict"), str(entries[0].get("message", ""))
        right = allowed(host, control)
        if right and verdict not in right:
            wrong.append(f"{at}: {verdict} instead of {' or '.join(right)}: {message}")
        word = host.names.get(control, "")
        if word not in message:
            wrong.append(f"{at}: the message does not name {word}: {message}")
    return wrong
