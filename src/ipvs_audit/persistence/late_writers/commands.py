"""What a single command of a unit, a crontab or a script may do to the key.

A command is followed where that can be done. Where it cannot, what it plainly says counts; where it
names the key and is not known to only read it, the value that it leaves is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.interpreter import loaded, run_shell
from ipvs_audit.persistence.hook.state import Command
from ipvs_audit.persistence.late_writers.mentions import NAMES, data_lines, is_script, script_lines
from ipvs_audit.persistence.late_writers.module_loads import loads_past_hook
from ipvs_audit.persistence.late_writers.sysctl_calls import writes_what_is_not_told
from ipvs_audit.persistence.late_writers.ufw_settings import with_ufw_settings
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
_WORDS = re.compile(r"[\s=<>]+")
_MOST_CALLS = 4
#: Where nothing is named by its name alone, but by path or by what runs all of a place.
_BY_PATH = re.compile("/(usr/(lib|share)|etc|run|var/spool)/")
_UNIT_FILE = re.compile(r"/systemd/[^/]+/")
_EXEC_LINE = re.compile(r"Exec\w+\s*=\s*[-@:+!|]*(.*)")
_SEPARATORS = re.compile(r"[;&|()`{}\n]+")
#: An option of an exporter, which says what it reads.
_SELECTS = re.compile(r"\s--?[\w.-]*(?:include|exclude|filter|collector)[\w.-]*[=\s]\S*$")
#: Where a word begins that is not read from.
_WORD = r"(?<![^\s<])(?<!<)(?<!< )(?!<)"
_SINGLE_QUOTED = re.compile(r"'[^']*'")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SIGNS = re.compile(r"[;&|{}]")
_BEFORE_COMMAND = re.compile(r"(?:(?:if|elif|while|until|then|else|do|!|sudo|exec)\s+)+")
_READS = frozenset(
    [
        "[",
        "[[",
        "test",
        "cat",
        "grep",
        "egrep",
        "fgrep",
        "head",
        "tail",
        "ls",
        "stat",
        "wc",
        "cut",
        "cmp",
        "diff",
        "logger",
        "echo",
        "printf",
        "awk",
    ]
)
#: sysctl in another network namespace, which has a key of its own. Not modprobe: that runs the hook
#: there.
_OTHER_NAMESPACE = re.compile(
    r"""(?:\S*/)?\bip\s+netns\s+exec\s+["']?\$?\{?[\w.-]+\}?["']?\s+"""
    r"""(?:\S*/)?sysctl(?=\s)[^;&|()`'"$<>\n]*"""
)
#: A command whose last word is a file, or the folder, of the loaders' configuration.
_REWRITES = re.compile(
    r"(?:(?:^|[\s;&|(/])(?:cp|mv|ln|rm|tee|rsync|install|truncate|unlink|sed\s+(?:\S+\s+)*-i\S*)\s[^;&|>]*?"
    r"|>\s*[\"']?|\bof=)"
    r"(/etc/(?:sysctl\.(?:conf|d)|modprobe\.d|modules-load\.d|modules)(?:/[^\s;&|\"']*)?)"
    r"[\"']?\s*(?:$|[;&|)])"
)
_DECIDES = re.compile(r"run_estimation|ip[_-]vs|[*?\[].*=")
_UNLOADS = re.compile(
    r"\b(?:rmmod|modprobe(?:\s+-\S+)*\s+(?:-[a-zA-Z]*r[a-zA-Z]*|--remove))\b.*\bip[_-]vs"
)
#: A whole tree that is copied over /etc or /: a name of its own for what it may hold.
_OVER_ETC = re.compile(
    r"(?:^|[\s;&|(/])(?:(?:rsync\s|cp\s+(?:-\S+\s+)*-[a-zA-Z]*[arR])[^;&|>]*(?:/|/\.|/\*|/etc)[\"']?\s+[\"']?(?:/etc/?|/)"
    r"|tar\s+(?:-?[a-zA-Z]*x|--extract|--get)[^;&|>]*(?:-C|--directory)[\s=]*(?:/etc/?|/))[\"']?(?=\s|$|[;&|)])"
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
        unloads: the same file removes ip_vs, so that such a load finds none loaded.
        confined: it does so in a sandbox, where the hook runs and cannot set the key.
        proven: it surely runs at each boot, and leaves its value whether ip_vs was there or not.
    """

    where: str
    what: str
    values: tuple[Value, ...]
    at_boot: bool
    proven: bool = False
    past_hook: bool = False
    confined: bool = False
    unloads: bool = False

    @property
    def sets(self) -> str:
        """Its place, command and value."""
        what = f"{self.where} ({self.what!r})"
        if self.confined:
            return f"{what} has ip_vs loaded in a sandbox, where its hook may not set the key"
        if self.past_hook:
            return f"{what} loads ip_vs without its hook, and a first load by it leaves 1"
        if not self.values:
            return f"{what} may change the key, to a value that is not known"
        return f"{what} sets {', '.join(str(each) for each in self.values)}"

    @property
    def needs_none_loaded(self) -> bool:
        """Whether it acts only where ip_vs is not loaded, and its file does not remove it first."""
        return self.past_hook and not self.unloads

    def leaves_only(self, accepts: Accepts) -> bool:
        """Whether each value that it may leave is known and accepted."""
        return bool(self.values) and all(is_compliant(accepts, each) for each in self.values)


def line_writers(config: HostConfig, file: BootFile, *, at_boot: bool) -> Iterator[Writer]:
    """What single lines may write, where the whole is not followed."""
    unloads = any(_UNLOADS.search(line.text) for line in file.lines)
    for line in file.lines:
        where, text = f"{file.path}:{line.number}", line.text.strip()
        in_unit = _UNIT_FILE.search(file.path) is not None
        if (unit := _EXEC_LINE.match(text)) is not None:
            text = unit[1]
        elif in_unit:
            values = _literal(config, text)
            if values:
                yield Writer(where, text, values, at_boot)
            continue
        for told in with_ufw_settings(config, file, text):
            for one in command_writers(config, where, told, at_boot=at_boot):
                yield replace(one, unloads=one.past_hook and unloads)


def command_writers(
    config: HostConfig, where: str, text: str, *, at_boot: bool, depth: int = _MOST_CALLS
) -> Iterator[Writer]:
    """What a command, or the scripts that it calls, may do to the host's key."""
    on_host = _OTHER_NAMESPACE.sub(":", text)
    for called in _called(config, on_host) if depth else ():
        inside = script_lines(called) if is_script(called) else data_lines(called, given=True)
        for line in inside.lines:
            if not line.text.startswith("#!"):
                inner = f"{where} runs {called.path}:{line.number}, which"
                for one in command_writers(
                    config, inner, line.text.strip(), at_boot=at_boot, depth=depth - 1
                ):
                    yield replace(one, where=f"{where}, through {called.path}:{line.number}")
    values, known = _values(config, where, on_host)
    if values:
        yield Writer(where, text, tuple(dict.fromkeys(values)), at_boot)
    rewrites = _rewrites(config, on_host)
    untold = writes_what_is_not_told(on_host, config.key.path, config.tree.files)
    if not known or rewrites or untold:
        yield Writer(where, text, (), at_boot)
    if not values and loads_past_hook(on_host):
        default = config.key.stores("1")
        yield Writer(where, text, () if default is None else (default,), at_boot, past_hook=True)


def _called(config: HostConfig, text: str) -> list[BootFile]:
    """The scripts that a line names, where their lines were brought; what sysctl reads is none."""
    found: dict[str, BootFile] = {}
    for part in _SEPARATORS.split(text):
        words = [word.strip("\"'") for word in _WORDS.split(part)]
        if any(word.rpartition("/")[2] in ("sysctl", "systemd-sysctl") for word in words):
            continue
        # Behind a variable the folder is not known.
        named = {
            word.rpartition("/")[2]
            for word in words
            if not word.startswith("/") or word.count("/") == 1
        }
        for path, file in config.boot_files.files.items():
            name = path.rpartition("/")[2]
            if path in words or (name in named and not _BY_PATH.match(path)):
                found[path] = file
    return list(found.values())


def _values(config: HostConfig, where: str, text: str) -> tuple[tuple[Value, ...], bool]:
    """What one command may leave in the key, and whether that is all of it."""
    ends = run_shell(config, Command(text, where), loaded(config))
    written = {end.value for end in ends if end.written and end.value is not None}
    plain = _literal(config, text)
    if any(step.writes is not None for end in ends for step in end.steps) and written:
        followed = not any(end.doubt for end in ends)
        return tuple(written), followed or len(plain) >= _writes(text)
    return plain, len(plain) >= _writes(text)


def _literal(config: HostConfig, text: str) -> tuple[Value, ...]:
    """The values that a line plainly gives to the key, each as often as it stands there."""
    if text.lstrip().startswith(("echo ", "printf ", "logger ")) and "/proc/" not in text:
        return ()
    literal = [first or second for first, second in _LITERAL.findall(text)]
    stored = (config.key.stores(each) for each in literal)
    return tuple(each for each in stored if each is not None)


def _writes(text: str) -> int:
    """How many commands of a line name the key and are not known to only read it."""
    if _POD_SYSCTL.match(text):
        return 0
    text = _SINGLE_QUOTED.sub(lambda found: found[0].replace("{", " ").replace("}", " "), text)
    parts = _SEPARATORS.split(_QUOTED.sub(lambda found: _SIGNS.sub(" ", found[0]), text))
    return sum(not _only_reads(found[0], part) for part in parts if (found := NAMES.search(part)))


def _only_reads(name: str, command: str) -> bool:
    words = _BEFORE_COMMAND.sub("", command.strip(" \t\"'"), count=1).split()
    if re.search(rf">+\s*\S*{re.escape(name)}", command):
        return False
    if _SELECTS.search(command) or not re.search(rf"{_WORD}\S*{re.escape(name)}", command):
        return True
    program = words[0].rpartition("/")[2] if words else ""
    if program == "sysctl":
        own = next(word for word in words if name in word)
        return "=" not in own and not any(
            re.fullmatch("-[a-zA-Z]*[wpf]|--(write|load).*", word) for word in words
        )
    return program in _READS


def _rewrites(config: HostConfig, text: str) -> bool:
    """Whether a line may change or remove a file that decides the value, or a folder of them."""
    for found in _REWRITES.finditer(text):
        path = found[1].rstrip("/")
        file = config.tree.files.get(path)
        lines = () if file is None else file.lines or ()
        if file is None or any(_DECIDES.search(line.text) for line in lines):
            return True
    return _OVER_ETC.search(text) is not None
