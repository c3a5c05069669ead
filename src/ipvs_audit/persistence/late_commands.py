"""What a single command of a unit, a crontab or a script may do to the key.

A command is followed where that can be done. Where it cannot, what it plainly says counts; where it
names the key and is not known to only read it, the value that it leaves is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook_interpreter import loaded, run_shell
from ipvs_audit.persistence.hook_state import Command
from ipvs_audit.persistence.module_loads import loads_past_hook
from ipvs_audit.persistence.prediction import is_compliant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Accepts
    from ipvs_audit.snapshot.boot_files import BootFile
    from ipvs_audit.snapshot.sysctl_key import Value

_LITERAL = re.compile(
    r"run_estimation[\"']?\s*[=:]\s*[\"']?(-?\w+)|echo\s+(?:-n\s+)?[\"']?(-?\w+)[\"']?\s*>+\s*"
    r"[\"']?/proc/sys/net/ipv4/vs/run_estimation"
)
_CALL = re.compile(r"(?:\S*/)?(?:sh|bash|dash)\s+|(?:exec|sudo|nohup)\s+")
_UNIT_FILE = re.compile(r"/systemd/[^/]+/")
_EXEC_LINE = re.compile(r"Exec\w+\s*=\s*[-@:+!|]*(.*)")
_SEPARATORS = re.compile(r"[;&|()`{}\n]+")
_BEFORE_COMMAND = re.compile(r"(?:(?:if|elif|while|until|then|else|do|!|sudo|exec)\s+)+")
_READS = frozenset(
    "[ [[ test cat grep egrep fgrep head tail ls stat wc cut cmp diff logger echo printf".split()  # noqa: SIM905
)
#: A container's own value, in a pod's manifest: it is set in the pod's network namespace.
_POD_SYSCTL = re.compile(r"-?\s*[\"']?name[\"']?\s*:")


@dataclass(frozen=True, slots=True)
class Writer:
    """Something that may write the key.

    Attributes:
        where: file and line.
        what: the command or setting, as written.
        values: what it may leave in the key; empty where that is not known.
        at_boot: it runs once, when the host boots; else at any time.
        past_hook: it loads ip_vs in a way that runs no hook; nothing happens where it is loaded.
        proven: it surely runs at each boot, and leaves its value whether ip_vs was there or not.
    """

    where: str
    what: str
    values: tuple[Value, ...]
    at_boot: bool
    proven: bool = False
    past_hook: bool = False

    @property
    def sets(self) -> str:
        """Its place, command and value."""
        what = f"{self.where} ({self.what!r})"
        if self.past_hook:
            return f"{what} loads ip_vs without its hook, and a first load by it leaves 1"
        if not self.values:
            return f"{what} may change the key, to a value that is not known"
        return f"{what} sets {', '.join(str(each) for each in self.values)}"

    def leaves_only(self, accepts: Accepts) -> bool:
        """Whether each value that it may leave is known and accepted."""
        return bool(self.values) and all(is_compliant(accepts, each) for each in self.values)


def line_writers(config: HostConfig, file: BootFile, *, at_boot: bool) -> Iterator[Writer]:
    """What single lines may write, where the whole is not followed."""
    for line in file.lines:
        text = line.text.strip()
        in_unit = _UNIT_FILE.search(file.path) is not None
        if (unit := _EXEC_LINE.match(text)) is not None:
            text = unit[1]
        elif in_unit:
            values = _literal(config, text)
            if values:
                yield Writer(f"{file.path}:{line.number}", text, values, at_boot)
            continue
        yield from command_writers(config, f"{file.path}:{line.number}", text, at_boot=at_boot)


def command_writers(
    config: HostConfig, where: str, text: str, *, at_boot: bool
) -> Iterator[Writer]:
    """What a command, or the script that it calls, may do to the key."""
    called = _called(config, text)
    if called is not None:
        for line in called.lines:
            if not line.text.startswith("#!"):
                inner = f"{where} runs {called.path}:{line.number}, which"
                for one in command_writers(config, inner, line.text.strip(), at_boot=at_boot):
                    yield replace(one, where=f"{where}, through {called.path}:{line.number}")
        return
    values, known = _values(config, where, text)
    if values:
        yield Writer(where, text, tuple(dict.fromkeys(values)), at_boot)
    if not known:
        yield Writer(where, text, (), at_boot)
    if not values and loads_past_hook(text):
        default = config.key.stores("1")
        yield Writer(where, text, () if default is None else (default,), at_boot, past_hook=True)


def _called(config: HostConfig, text: str) -> BootFile | None:
    """The script that a command runs, where its lines were brought."""
    word = _CALL.sub("", text.strip(), count=1).split(" ")[0].strip("\"'")
    file = config.boot_files.files.get(word)
    return file if file is not None and text.strip() != "" else None


def _values(config: HostConfig, where: str, text: str) -> tuple[tuple[Value, ...], bool]:
    """What one command may leave in the key, and whether that is all of it."""
    ends = run_shell(config, Command(text, where, "boot"), loaded(config))
    written = {end.value for end in ends if end.written and end.value is not None}
    plain = _literal(config, text)
    if any(step.writes is not None for end in ends for step in end.steps) and written:
        followed = not any(end.doubt for end in ends)
        return tuple(written), followed or len(plain) >= _writes(config, text)
    return plain, len(plain) >= _writes(config, text)


def _literal(config: HostConfig, text: str) -> tuple[Value, ...]:
    """The values that a line plainly gives to the key, each as often as it stands there."""
    if text.lstrip().startswith(("echo ", "printf ", "logger ")) and "/proc/" not in text:
        return ()
    literal = [first or second for first, second in _LITERAL.findall(text)]
    stored = (config.key.stores(each) for each in literal)
    return tuple(each for each in stored if each is not None)


def _writes(config: HostConfig, text: str) -> int:
    """How many commands of a line name the key and are not known to only read it."""
    name = config.key.path.rpartition("/")[2]
    if name not in text or _POD_SYSCTL.match(text):
        return 0
    return sum(name in part and not _only_reads(name, part) for part in _SEPARATORS.split(text))


def _only_reads(name: str, command: str) -> bool:
    words = _BEFORE_COMMAND.sub("", command.strip(" \t\"'"), count=1).split()
    if re.search(rf">+\s*\S*{name}", command):
        return False
    program = words[0].rpartition("/")[2] if words else ""
    if program == "sysctl":
        own = next(word for word in words if name in word)
        return "=" not in own and not any(
            re.fullmatch("-[a-zA-Z]*[wpf]|--(write|load).*", word) for word in words
        )
    return program in _READS
