"""What the sysctl loaders read: which files, in which order, and what each line sets.

Source: procps 3.3.x and 4.x (``sysctl.c``), systemd 219 to 257 (``sysctl.c``,
``conf-files.c``), tested against the programs themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.config_paths import SYSCTL, SYSCTL_CONF
from ipvs_audit.snapshot.sysctl_key import SPACES, Key, is_below, loader_path, simplified

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree, Line
    from ipvs_audit.snapshot.sysctl_loader import Loader


SYSTEMD_SPACES = " \t\n\r"
_SYSTEMD_LINE_END = re.compile("[\r\0]+")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a loader understands of one line.

    Attributes:
        spelled: the key as written, without dash and outer white space.
        path: below ``/proc/sys``, as the loader forms it.
        value: what it writes; None for an exclusion (``-key``), which keeps globs off.
        ignores_errors: a leading dash: a failure is not reported (systemd only).
        file: path of the file, as the loader finds it.
        line: number of the line.
        text: the line, for people.
    """

    spelled: str
    path: str
    value: str | None
    ignores_errors: bool
    file: str
    line: int
    text: str

    @property
    def where(self) -> str:
        """``/etc/sysctl.d/90-ipvs.conf:3``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class LoaderFiles:
    """The files that a loader reads, and those that it does not.

    Attributes:
        files: in reading order; one may appear under two names.
        hidden: files that it skips -> the path that hides them.
        missing: named files that the tree does not have.
    """

    files: tuple[ConfigFile, ...]
    hidden: Mapping[str, str]
    missing: tuple[str, ...] = ()


def loader_files(tree: ConfigTree, loader: Loader) -> LoaderFiles:
    """Which files a loader reads, in order."""
    if loader.files is not None:
        named = [(path, tree.files.get(path)) for path in loader.files]
        found = tuple(file for _, file in named if file is not None and file.real)
        missing = tuple(path for path, file in named if file is None or not file.real)
        return LoaderFiles(found, {}, missing)
    dotted = loader.program != "systemd"
    files, hidden = files_by_name(tree, _directories(loader), ".conf", dotted=dotted)
    last = tree.files.get(SYSCTL_CONF)
    if loader.reads_sysctl_conf and last is not None and not last.masks and last.real:
        files = (*files, last)
    return LoaderFiles(files, hidden)


def is_selected(loader: Loader, path: str) -> bool:
    """Whether a loader, of which systemd-sysctl may be told prefixes, sets this path at all."""
    prefixes = [simplified(loader_path(prefix)) for prefix in loader.prefixes]
    return not prefixes or any(is_below(path, prefix) for prefix in prefixes)


def files_by_name(
    tree: ConfigTree, directories: tuple[str, ...], *suffixes: str, dotted: bool = False
) -> tuple[tuple[ConfigFile, ...], dict[str, str]]:
    """Files by name, a name in an earlier directory hiding it in later ones.

    Args:
        tree: the files.
        directories: the first hides what later ones hold under the same name.
        suffixes: how names must end.
        dotted: whether names that start with a dot are read; procps alone does.

    Returns:
        the files in order, and the hidden paths -> the path that hides them.
    """
    rank = {directory: place for place, directory in enumerate(directories)}
    found: dict[str, list[tuple[int, ConfigFile]]] = {}
    for path, file in tree.files.items():
        directory, _, name = path.rpartition("/")
        if directory in rank and name.endswith(suffixes) and (dotted or name[0] != "."):
            found.setdefault(name, []).append((rank[directory], file))
    files, hidden = [], {}
    for name in sorted(found):
        (_, first), *others = sorted(found[name], key=lambda ranked: ranked[0])
        files.append(first)
        hidden.update({other.path: first.path for _, other in others if other.real != first.real})
    return tuple(files), hidden


def _directories(loader: Loader) -> tuple[str, ...]:
    etc, run, *libraries = SYSCTL.directories
    if not loader.reads_split_usr:
        del libraries[-1]
    return (etc, run, *libraries) if loader.reads_etc_first else (run, etc, *libraries)


def candidate_lines(file: ConfigFile, key: Key) -> Iterator[Line]:
    """The lines of a file that may concern a key: that hold its last word, or a glob."""
    lines = file.lines or ()
    needle = key.needle
    whole = "\n".join([line.text for line in lines])
    if needle not in whole and "*" not in whole and "?" not in whole and "[" not in whole:
        return
    for line in lines:
        text = line.text
        if needle in text or "*" in text or "?" in text or "[" in text:
            yield line


def settings(file: ConfigFile, line: Line, loader: Loader) -> tuple[Setting, ...]:
    """What a loader understands of a line: nothing, one setting, or more.

    More than one where systemd also ends a line at a carriage return or a NUL, or where the line
    is too long for an old loader.
    """
    parts = pieces(line.text, loader)
    if loader.program == "systemd":
        parts = [end for part in parts for end in systemd_lines(part, loader)]
        understood = [_systemd(part, file, line, loader) for part in parts]
    else:
        texts = [part.partition("\0")[0] for part in parts]
        if loader.globs:
            understood = [_procps4(text, file, line) for text in texts]
        else:
            understood = [_procps3(text, file, line, dash=loader.takes_dash) for text in texts]
    return tuple(setting for setting in understood if setting is not None)


def systemd_lines(text: str, loader: Loader) -> list[str]:
    """A line as systemd of that version splits it: also at a NUL, and at a carriage return."""
    if "\r" not in text and "\0" not in text:
        return [text]
    return re.split(_SYSTEMD_LINE_END if loader.simplifies_keys else "\0", text)


def pieces(text: str, loader: Loader) -> list[str]:
    """A line as the loader's buffer takes it: one piece, or more where it is too long."""
    limit = loader.line_limit
    if limit is None or len(text) <= limit:
        return [text]
    return [text[at : at + limit] for at in range(0, len(text), limit)]


def _systemd(text: str, file: ConfigFile, line: Line, loader: Loader) -> Setting | None:
    text = text.strip(SYSTEMD_SPACES)
    if not text or text[0] in "#;":
        return None
    name, equals, value = text.partition("=")
    ignores_errors = False
    if name[:1] == "-" and loader.takes_dash:
        ignores_errors, name = True, name[1:]
    if not equals and not (ignores_errors and loader.globs):
        return None
    spelled = name.strip(SYSTEMD_SPACES)
    path = loader_path(spelled)
    if loader.simplifies_keys:
        path = simplified(path)
    elif name[:1] in SYSTEMD_SPACES:
        path = name.rstrip(SYSTEMD_SPACES)  # a blank behind the dash belongs to the name
    return Setting(
        spelled=spelled,
        path=path,
        value=value.strip(SYSTEMD_SPACES) if equals else None,
        ignores_errors=ignores_errors,
        file=file.path,
        line=line.number,
        text=text,
    )


def _procps4(text: str, file: ConfigFile, line: Line) -> Setting | None:
    text = text.lstrip(SPACES)
    if len(text) < 2 or text[0] in "#;":  # noqa: PLR2004  # procps' own shortest line
        return None
    name, equals, value = text.partition("=")
    dash = name[:1] == "-"
    if not equals and not dash:
        return None
    name = (name[1:] if dash else name).rstrip(SPACES)
    return Setting(
        spelled=name,
        path=loader_path(name.removeprefix("-")),
        value=value.strip(SPACES) if equals else None,
        ignores_errors=False,
        file=file.path,
        line=line.number,
        text=text.rstrip(SPACES),
    )


def _procps3(text: str, file: ConfigFile, line: Line, *, dash: bool) -> Setting | None:
    text = text.lstrip(" \t").rstrip(SYSTEMD_SPACES)
    if len(text) < 2 or text[0] in "#;":  # noqa: PLR2004  # procps' own shortest line
        return None
    name, _, value = text.lstrip("=").partition("=")
    value = re.split("[\r\n]", value.lstrip("\r\n"), maxsplit=1)[0]
    name = name.rstrip(SYSTEMD_SPACES)
    if not name or not value:
        return None
    spelled = name.removeprefix("-") if dash else name
    return Setting(
        spelled=spelled,
        path=loader_path(spelled),
        value=value.strip(SYSTEMD_SPACES),
        ignores_errors=False,
        file=file.path,
        line=line.number,
        text=text,
    )
