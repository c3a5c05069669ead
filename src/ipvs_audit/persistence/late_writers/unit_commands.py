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
#: Settings of which it is known that the commands run all the same; the probe brings no text of
#: others that change nothing. ``Before=`` and ``After=`` are looked at.
_HARMLESS = re.compile(
    r"Type[ \t]*=[ \t]*oneshot"
    r"|(WantedBy|RequiredBy|UpheldBy|Description|Documentation|OnFailure|OnSuccess|Wants"
    r"|RemainAfterExit|PrivateTmp|ProtectHome)[ \t]*=.*"
)
_ORDER_LINE = re.compile(r"(Before|After)[ \t]*=(.*)")
#: After these a unit that a boot's target wants may be in a cycle, and so before all targets but
#: those below: systemd breaks it by leaving out one of the units.
_LATE_TARGETS = frozenset(("graphical.target", "default.target"))
_TARGETS_AFTER = frozenset(
    ("network-pre", "network", "network-online", "multi-user", "graphical", "shutdown")
)


def unit_script(file: BootFile) -> tuple[str, bool]:
    """A unit's commands as a shell would be given them, and whether that is all of it.

    A unit with a setting that is not known to change nothing (a condition, a user, a sandbox), a
    command that was not brought or a place in the boot that it may not get is not known as a
    whole; neither is one that does not wait for its commands (``Type=oneshot`` does).
    """
    texts = [line.text.strip() for line in file.lines]
    known = not file.others and "Type=oneshot" in texts and file.path.endswith(".service")
    known = known and "@" not in file.path.rpartition("/")[2]
    commands: dict[str, list[str]] = {each: [] for each in _ORDER}
    for text in texts:
        if text.startswith("Exec"):
            found = _EXEC.fullmatch(text)
            if found is None or not found[3] or not _is_plain(found[3]) or set(found[2]) - {"-"}:
                known = False
            else:
                # A brace group, so that a failure that is ignored is no failure of the whole.
                ignored = found[2] == "-"
                command = f"{{ {found[3]} || true; }}" if ignored else found[3]
                commands[found[1]].append(command)
        elif not changes_nothing(text):
            known = False
    script = " && ".join(command for each in _ORDER for command in commands[each])
    return script, known and bool(script)


def changes_nothing(text: str) -> bool:
    """Whether a line of a unit leaves its commands as they are, and its place in the boot sure."""
    order = _ORDER_LINE.fullmatch(text)
    if order is None:
        return _HARMLESS.fullmatch(text) is not None
    names = order[2].split()
    if order[1] == "After":
        return not _LATE_TARGETS.intersection(names)
    return not any(_is_early(name) for name in names)


def _is_early(name: str) -> bool:
    """Whether a unit may be one of those that services wait for."""
    stem, _, kind = name.rpartition(".")
    early = stem not in _TARGETS_AFTER if kind == "target" else kind != "service"
    return early or name.startswith("systemd-")


def _is_plain(command: str) -> bool:
    """Whether systemd and a shell make the same words of a command."""
    return _SHELL.fullmatch(command) is not None or not _SHELL_SIGNS.search(command)
