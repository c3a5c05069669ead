"""What stands at the paths that hooks and udev rules name, and who else loads modules there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from ipvs_audit.snapshot.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping


#: The probe's section.
SECTION = "programs"

#: Where the kernel's own modprobe looks for programs (kernel/umh.c sets its PATH), in this order.
KERNEL_PATH = ("/sbin", "/bin", "/usr/sbin", "/usr/bin")
#: What a person's or a service's search path has before those.
LOCAL_PATH = ("/usr/local/sbin", "/usr/local/bin")

State = Literal[
    "program", "file", "closed", "directory", "special", "dangling", "absent", "nowhere", "hidden"
]
_STATES = frozenset(get_args(State))
_THERE = frozenset(("program", "file", "closed", "directory", "special"))
_UNTOLD = frozenset(("closed", "hidden"))
_LINE = re.compile(r"([a-z]+) ([w?-]) ([a-z-]+) (/.*)")
_LOADS = re.compile(r"([!-~]{1,15}) (own|other|unknown)")


@dataclass(frozen=True, slots=True)
class AtPath:
    """What stands at a path.

    Attributes:
        state: ``program`` (a regular file that may be executed), ``file`` (one that may not),
            ``closed`` (not by the probe's user), ``directory``, ``special`` (a device and the
            like), ``dangling`` (a link to nothing), ``absent`` (its directory is there),
            ``nowhere`` (nor is its directory), ``hidden`` (the probe may not look).
        writable: whether it can be written or, where absent, created; None where not known.
        same: the host's ``sysctl`` or ``modprobe``, or ``busybox`` or ``toybox``, where it is that
            very file; else empty.
    """

    state: State
    writable: bool | None = None
    same: str = ""

    @property
    def exists(self) -> bool | None:
        """Whether something is there; None where not known."""
        return None if self.state == "hidden" else self.state in _THERE


@dataclass(frozen=True, slots=True)
class Located:
    """Where a program is.

    Attributes:
        there: whether a shell can start it; None where not known.
        same: as :class:`AtPath` has it.
        why: why it cannot be started or is not known; empty where it can.
    """

    there: bool | None
    same: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs, files and modules that hooks name; what is not told is not known.

    Attributes:
        paths: what stands at a path.
        names: bare names that were looked up in the search path: whatever they led to is in paths.
        modules: other modules that hooks load, and whether this kernel has such a file.
        unresolvable: names by which no module, built-in or alias of the kernel is found; told of a
            tree only.
        shell: what ``/bin/sh`` is: ``dash``, ``bash``, ``busybox`` ...; empty where not known.
        helper: the program by which the kernel loads modules on demand
            (``/proc/sys/kernel/modprobe``); empty: it loads none; None: not known.
        module_loaders: names of processes that load ip_vs by themselves, such as ``kube-proxy`` ->
            whether each sees another root directory than the host's, as in a container; None where
            not known.
        assumptions: what was taken for granted, one sentence each; a probe takes nothing so.
    """

    paths: Mapping[str, AtPath] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    modules: Mapping[str, bool] = field(default_factory=dict)
    unresolvable: frozenset[str] = frozenset()
    shell: str = ""
    helper: str | None = None
    module_loaders: Mapping[str, bool | None] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()

    def at(self, path: str) -> AtPath | None:
        """What stands at a path; None where that is not known."""
        return self.paths.get(path)

    def having(self, same: str, *names: str) -> Programs:
        """The same with the host's sysctl or modprobe in /sbin and /usr/sbin, as these names."""
        own = AtPath("program", writable=True, same=same)
        paths = {f"{top}/{name}": own for top in ("/sbin", "/usr/sbin") for name in names}
        return replace(self, paths={**self.paths, **paths}, names=self.names | set(names))

    def locate(self, word: str) -> Located:
        """Where a shell that modprobe starts finds a program, named by its path or bare."""
        if "/" in word:
            return self._at_path(word)
        if word not in self.names:
            return Located(
                there=None, why=f"the evidence does not say whether this host has {word}"
            )
        usual = self._first(word, KERNEL_PATH)
        local = self._first(word, LOCAL_PATH)
        if usual is None and local is None:
            return Located(there=False, why=f"this host has no {word} in its search path")
        if usual is None:
            why = f"{word} is in /usr/local only, where a load by the kernel does not look"
            return Located(there=None, why=why)
        if local is not None and local.same != usual.same:
            return Located(there=True, why=f"/usr/local has a {word} of its own")
        return Located(there=True, same=usual.same)

    def _first(self, word: str, directories: tuple[str, ...]) -> AtPath | None:
        found = (self.paths.get(f"{directory}/{word}") for directory in directories)
        return next((each for each in found if each and each.state == "program"), None)

    def _at_path(self, path: str) -> Located:
        found = self.paths.get(path)
        if found is None:
            return Located(there=None, why=f"the evidence does not say whether {path} exists")
        if found.state in _UNTOLD:
            return Located(there=None, why=f"whether {path} can be run could not be seen")
        if found.state == "program":
            return Located(there=True, same=found.same)
        missing = "is no program" if found.exists else "does not exist on this host"
        return Located(there=False, why=f"{path} {missing}")


def parse_programs(sections: Mapping[str, Section]) -> Programs:
    """What the probe saw; nothing is known where it brought no such section.

    Raises:
        GarbledEvidenceError: the section is not whole, or a line is not of its form.
    """
    section = sections.get(SECTION)
    return Programs() if section is None else _parsed(section.output)


@lru_cache(maxsize=256)
def _parsed(output: str) -> Programs:
    section = Section(SECTION, "", output, None, 0.0)
    paths: dict[str, AtPath] = {}
    names: set[str] = set()
    modules: dict[str, bool] = {}
    loaders: dict[str, bool | None] = {}
    shell, helper = "", None
    for line in section.whole_lines():
        word, _, rest = line.partition(" ")
        if word == "path":
            path, paths[path] = _path(section, rest)
        elif word == "name":
            names.add(rest)
        elif word == "module" and rest.endswith((" yes", " no")):
            name, _, answer = rest.partition(" ")
            modules[name] = answer == "yes"
        elif word == "shell":
            shell = rest
        elif word == "helper":
            helper = rest
        elif word == "loads" and (found := _LOADS.fullmatch(rest)):
            _add_loader(loaders, found[1], found[2])
        else:
            raise section.garbled_line(line)
    return Programs(
        paths, frozenset(names), modules, shell=shell, helper=helper, module_loaders=loaders
    )


def _path(section: Section, text: str) -> tuple[str, AtPath]:
    found = _LINE.fullmatch(text)
    if found is None or found[1] not in _STATES:
        raise section.garbled_line(f"path {text}")
    state: State = found[1]  # type: ignore[assignment]
    writable = {"w": True, "-": False, "?": None}[found[2]]
    return found[4], AtPath(state, writable, "" if found[3] == "-" else found[3])


def _add_loader(loaders: dict[str, bool | None], name: str, root: str) -> None:
    """Of several processes of one name the one in a container counts, then the unknown one."""
    seen = {"own": False, "other": True, "unknown": None}[root]
    if name not in loaders or loaders[name] is False or seen:
        loaders[name] = seen
