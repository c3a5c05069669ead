"""What modprobe reads before it loads a module: hooks, soft dependencies, aliases, blacklists.

Facts of kmod 20 to 34 (``libkmod-config.c``, ``libkmod-module.c``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.config_files import Line
from ipvs_audit.snapshot.config_paths import MODPROBE
from ipvs_audit.snapshot.sysctl_config import files_by_name
from ipvs_audit.snapshot.sysctl_key import name_matches

if TYPE_CHECKING:
    from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree

#: What depmod writes beside modules.dep; kmod reads it among the other files, by its name.
MODULES_SOFTDEP = "modules.softdep"

_LOCAL_SINCE = 29  # kmod before 29 does not read /usr/local/lib/modprobe.d
_NO_ALIAS_FILES_SINCE = 33
_OLDER_ENDINGS = (".alias",)
_BOTH_USR_SINCE = 32  # before, /lib/modprobe.d alone is read, be it a link to /usr/lib or not
_PASSES_OVER_DANGLING_SINCE = 34  # before, a link to nothing hides what later directories hold
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)
_VERBS = ("install", "remove", "alias", "blacklist", "softdep", "options")


@dataclass(frozen=True, slots=True)
class Directive:
    """One line of modprobe's configuration.

    Attributes:
        verb: ``install``, ``remove``, ``alias``, ``blacklist``, ``softdep`` or ``options``.
        module: module name or pattern, dashes as underscores; of an alias the alias itself.
        rest: what follows, as written: a command, a module, dependencies.
        file: path of the file.
        line: number of the first line, where the directive is continued.
        cut_short: the file ends where the line would go on.
    """

    verb: str
    module: str
    rest: str
    file: str
    line: int
    cut_short: bool = False

    @property
    def where(self) -> str:
        """``/etc/modprobe.d/ipvs.conf:1``."""
        return f"{self.file}:{self.line}"

    def concerns(self, module: str) -> bool:
        """Whether the name or pattern matches a module."""
        return name_matches(self.module, module)


@dataclass(frozen=True, slots=True)
class ModprobeConfig:
    """Everything that modprobe reads, in order.

    Attributes:
        directives: in reading order, hidden files left out.
        hidden: directives of hidden files -> the path that hides them.
        unreadable: paths that could not be read.
        maybe: directives that only some versions of kmod read, where the version is not known.
    """

    directives: tuple[Directive, ...]
    hidden: tuple[tuple[Directive, str], ...]
    unreadable: tuple[str, ...]
    maybe: tuple[Directive, ...] = ()

    def first(self, verb: str, module: str) -> Directive | None:
        """The directive that counts: the first whose name or pattern matches."""
        return next(iter(self.all(verb, module)), None)

    def all(self, verb: str, module: str) -> tuple[Directive, ...]:
        """All directives of a verb that match a module, in order."""
        return tuple(
            directive
            for directive in self.directives
            if directive.verb == verb and directive.concerns(module)
        )

    def soft_dependencies(self, module: str) -> tuple[Directive, tuple[str, ...]] | None:
        """The ``softdep`` line of a module that counts, and what it names; None for nothing."""
        found = self.first("softdep", module)
        names = () if found is None else tuple(map(underscored, _dependencies(found.rest)))
        return (found, names) if found is not None and names else None


def read_modprobe(tree: ConfigTree, kmod: int | None, softdep: str = "") -> ModprobeConfig:
    """Read modprobe's configuration as kmod does.

    Args:
        tree: the files.
        kmod: kmod's version; None for the newest.
        softdep: the kernel's own soft dependencies of ip_vs, as :class:`~.kernel.Module` has them.
    """
    directories = tuple(
        directory
        for directory in MODPROBE.directories
        if kmod is None or kmod >= _LOCAL_SINCE or not directory.startswith("/usr/local")
    )
    endings = MODPROBE.endings
    if kmod is None or kmod >= _NO_ALIAS_FILES_SINCE:
        endings = tuple(ending for ending in endings if ending not in _OLDER_ENDINGS)
    if kmod is not None and kmod < _BOTH_USR_SINCE:
        tree = _without_split_usr(tree)
    if kmod is None or kmod >= _PASSES_OVER_DANGLING_SINCE:
        tree = replace(tree, files={path: file for path, file in tree.files.items() if file.real})
    files, hidden = files_by_name(tree, directories, *endings)
    earlier: list[Directive] = []
    later: list[Directive] = []
    for file in files:
        before = PurePosixPath(file.path).name < MODULES_SOFTDEP
        (earlier if before else later).extend(_directives(file))
    maybe: tuple[Directive, ...] = ()
    if kmod is None:
        older, _ = files_by_name(tree, directories, *_OLDER_ENDINGS)
        maybe = tuple(directive for file in older for directive in _directives(file))
    passed_over = tuple(
        (directive, by)
        for path, by in hidden.items()
        for directive in _directives(tree.files[path])
    )
    unreadable = [
        file.path for file in files if file.lines is None and not file.masks and file.real
    ]
    unreadable += [text for text in tree.unreadable if MODPROBE.folder in text.partition(":")[0]]
    return ModprobeConfig(
        (*earlier, *_of_depmod(softdep), *later), passed_over, tuple(unreadable), maybe
    )


def _of_depmod(softdep: str) -> tuple[Directive, ...]:
    number, _, text = softdep.partition(":")
    line = Line(int(number) if number.isdecimal() else 0, text)
    own = _directive(line, MODULES_SOFTDEP) if softdep else None
    return () if own is None else (own,)


def _without_split_usr(tree: ConfigTree) -> ConfigTree:
    """The tree without what stands in /usr/lib/modprobe.d and not in /lib/modprobe.d as well."""
    usr, lib = (f"{top}/{MODPROBE.folder}/" for top in ("/usr/lib", "/lib"))
    here = [path for path in tree.files if path.startswith(usr)]
    split = {path for path in here if not _same(tree, path, lib + path.removeprefix(usr))}
    if not split:
        return tree
    return replace(
        tree, files={path: file for path, file in tree.files.items() if path not in split}
    )


def _same(tree: ConfigTree, one: str, other: str) -> bool:
    return other in tree.files and tree.files[one].real == tree.files[other].real


def _directives(file: ConfigFile) -> list[Directive]:
    understood = (_directive(line, file.path) for line in file.lines or ())
    return [directive for directive in understood if directive is not None]


def _directive(line: Line, path: str) -> Directive | None:
    """A line as kmod splits it: at spaces and tabs only; None for what it ignores."""
    text = line.text.partition("\0")[0]
    text = _BACKSLASH.sub(r"\1", text)  # kmod drops every one, also from a command
    if text[:1] == "#":
        return None
    verb, rest = _word(text)
    if verb not in _VERBS:
        return None
    spelled, rest = _word(rest)
    name = underscored(spelled)
    if not name or (not rest and verb != "blacklist"):
        return None
    return Directive(verb, name, rest, path, line.number, line.joined == "open")


def _word(text: str) -> tuple[str, str]:
    """The first word, and what follows the one separator behind it."""
    text = text.lstrip(" \t")
    for place, character in enumerate(text):
        if character in " \t":
            return text[:place], text[place + 1 :]
    return text, ""


def underscored(name: str) -> str:
    """A module name as kmod compares it: dashes as underscores, except within brackets.

    Empty where kmod refuses the name.

    >>> underscored("ip-vs"), underscored("ip[-_]vs"), underscored("ip]vs")
    ('ip_vs', 'ip[-_]vs', '')
    """
    out, at = [], 0
    while at < len(name):
        if name[at] == "]":
            return ""
        if name[at] == "[":
            end = name.find("]", at)
            if end < 0:
                return ""
            out.append(name[at : end + 1])
            at = end
        else:
            out.append("_" if name[at] == "-" else name[at])
        at += 1
    return "".join(out)


def _dependencies(text: str) -> list[str]:
    """The modules that a softdep line names after ``pre:`` or ``post:``.

    kmod takes exactly one blank in front of the first word for part of it, so that with two blanks
    behind the module's name ``pre:`` is not recognised.
    """
    found, taking = [], False
    words = text.split()
    if words and text[:1].isspace() and not text[1:2].isspace():
        words[0] = text[0] + words[0]
    for word in words:
        if word in ("pre:", "post:"):
            taking = True
        elif taking:
            found.append(word)
    return found
