"""The commands of a unit file as one script, where that can be done without guessing.

Source: systemd.service(5): commands run one after the other; one that fails ends the rest, but
for a leading dash. No shell reads them: operators are plain words, ``$`` and ``%`` systemd's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.snapshot.boot_files import BootFile

_EXEC = re.compile(r"(ExecStartPre|ExecStart|ExecStartPost)[ \t]*=[ \t]*([-@:+!|]*)(.*)")
_ORDER = ("ExecStartPre", "ExecStart", "ExecStartPost")
_SHELL_SIGNS = re.compile(r"[;&|<>()$%`\\*?\[\]#~]")
_SHELL = re.compile(r"(/usr)?/bin/(ba|da)?sh -c ('[^'%\\$]*'|\"[^\"%\\$`]*\")")
#: Settings that change whether, when or where a unit runs.
_CHANGES = [
    "Condition",
    "Assert",
    "DefaultDependencies",
    "User",
    "DynamicUser",
    "PrivateNetwork",
    "PrivateUsers",
    "Requires",
    "NetworkNamespacePath",
    "JoinsNamespaceOf",
    "ProtectKernelTunables",
    "RootDirectory",
    "RootImage",
    "BindsTo",
]


def unit_script(file: BootFile) -> tuple[str, bool]:
    """A unit's commands as a shell would be given them, and whether that is all of it.

    A unit with a condition, another user or namespace, or a command that was not brought is not
    known as a whole; neither is one that does not wait for its commands (``Type=oneshot`` does).
    """
    texts = [line.text.strip() for line in file.lines]
    known = not file.others and "Type=oneshot" in texts and file.path.endswith(".service")
    commands: dict[str, list[str]] = {each: [] for each in _ORDER}
    for text in texts:
        if text.startswith(tuple(_CHANGES)):
            known = False
        elif text.startswith("Exec"):
            found = _EXEC.fullmatch(text)
            if found is None or not found[3] or not _is_plain(found[3]) or set(found[2]) - {"-"}:
                known = False
            else:
                # A brace group, so that a failure that is ignored is no failure of the whole.
                ignored = found[2] == "-"
                command = f"{{ {found[3]} || true; }}" if ignored else found[3]
                commands[found[1]].append(command)
    script = " && ".join(command for each in _ORDER for command in commands[each])
    return script, known and bool(script)


def _is_plain(command: str) -> bool:
    """Whether systemd and a shell make the same words of a command."""
    return _SHELL.fullmatch(command) is not None or not _SHELL_SIGNS.search(command)
