"""Which line wins: every assignment of a key that a loader reads, and why others do not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.config_paths import SYSCTL, first_unreadable
from ipvs_audit.snapshot.sysctl_config import (
    LoaderFiles,
    Setting,
    candidate_lines,
    is_selected,
    loader_files,
    settings,
)
from ipvs_audit.snapshot.sysctl_key import (
    Key,
    Value,
    glob_matches,
    is_glob,
    name_matches,
    resolved,
    simplified,
)

if TYPE_CHECKING:
    from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree
    from ipvs_audit.snapshot.sysctl_loader import Loader

_FNMATCH_EXCLUSIONS = (4, 0, 5)  # before, procps compares an exclusion as text


@dataclass(frozen=True, slots=True)
class Assignment:
    """A line that concerns the key, as one loader sees it.

    Attributes:
        setting: what the loader reads there.
        stores: what the kernel would hold; None where it refuses the value, or for an exclusion.
        why: why it does not decide; empty for the winner.
        refused: whether the loader writes it and the kernel refuses.
    """

    setting: Setting
    stores: Value | None
    why: str = ""
    refused: bool = False

    @property
    def wins(self) -> bool:
        """Whether this line decides the value."""
        return not self.why

    @property
    def where(self) -> str:
        """``/etc/sysctl.d/90-ipvs.conf:3``."""
        return self.setting.where


@dataclass(frozen=True, slots=True)
class Resolution:
    """The value that a loader gives to a key, and why.

    Attributes:
        loader: who reads.
        assignments: in reading order; hidden files' lines come last.
        files: the paths read, in order.
        missing: named files that are not there.
        doubt: why this may not be all, e.g. an unreadable file; empty where it is certain.
        differs: whether the doubt is that the host's own program answers otherwise.
    """

    loader: Loader
    assignments: tuple[Assignment, ...]
    files: tuple[str, ...]
    missing: tuple[str, ...]
    doubt: str
    differs: bool = False

    @property
    def winner(self) -> Assignment | None:
        """The line that decides, or None where the loader leaves the value as it is."""
        return next((found for found in self.assignments if found.wins), None)

    @property
    def value(self) -> Value | None:
        """What the kernel holds after the loader ran; None where it leaves the value."""
        return None if self.winner is None else self.winner.stores

    @property
    def losers(self) -> tuple[Assignment, ...]:
        """The lines that concern the key and do not decide."""
        return tuple(found for found in self.assignments if not found.wins)


def resolve(tree: ConfigTree, loader: Loader, key: Key) -> Resolution:
    """Resolve a key as a loader does, by the files alone."""
    return one_of(resolve_builds(tree, loader, key), loader)


def resolve_builds(tree: ConfigTree, loader: Loader, key: Key) -> tuple[Resolution, ...]:
    """Resolve a key as each program does that the loader may be.

    The key is taken to exist when the loader runs; whether it does is the reload's and the
    boot's question.
    """
    return tuple(_resolved(tree, build, key) for build in loader.builds)


def one_of(builds: tuple[Resolution, ...], loader: Loader) -> Resolution:
    """What a loader makes of the key, by what each program does that it may be.

    Where only the package's release tells how the program reads, and it is not known, builds that
    give other values are a doubt.
    """
    found, *others = builds
    doubt = found.doubt or next((other.doubt for other in others if other.doubt), "")
    if not doubt and any(other.value != found.value for other in others):
        doubt = (
            f"the release of the procps package is not known, and builds of {loader.version_text} "
            "differ in what they read here"
            if loader.version
            else f"the version of {loader.program} is not known, and versions differ in what they "
            "read here"
        )
    return replace(found, loader=loader, doubt=doubt)


def resolve_files(files: tuple[ConfigFile, ...], loader: Loader, key: Key) -> Assignment | None:
    """The line that decides where systemd-sysctl reads these files, in this order."""
    judged = _systemd(_settings(files, loader, key), loader, key)
    return next((entry for entry in judged if entry.wins), None)


def _resolved(tree: ConfigTree, loader: Loader, key: Key) -> Resolution:
    read = loader_files(tree, loader)
    found = _settings(read.files, loader, key)
    if loader.program == "systemd":
        judged = _systemd(found, loader, key)
    else:
        judged = _procps(found, loader, key)
    hidden = tuple(
        Assignment(setting, None, f"the file is hidden by {by}")
        for path, by in read.hidden.items()
        for setting in _settings((tree.files[path],), loader, key)
        if setting.value is not None and _names(setting.path, key)
    )
    winner = next((entry for entry in judged if entry.wins), None)
    unusual = _unusual(read.files, key) if loader.program == "busybox" else ""
    return Resolution(
        loader,
        assignments=judged + hidden,
        files=tuple(file.path for file in read.files),
        missing=read.missing,
        doubt=_doubt(tree, loader, read, winner) or unusual,
    )


def _settings(files: tuple[ConfigFile, ...], loader: Loader, key: Key) -> list[Setting]:
    return [
        setting
        for file in files
        for line in candidate_lines(file, key)
        for setting in settings(file, line, loader)
    ]


def _unusual(files: tuple[ConfigFile, ...], key: Key) -> str:
    """A line that busybox's sysctl may read in its own way; it is modelled for plain ones only."""
    for file in files:
        for line in candidate_lines(file, key):
            name, _, value = line.text.rstrip("\r").replace(" ", "").partition("=")
            plain = name in (key.dotted, key.path) and value.isdecimal()
            if plain and key.stores(value) is None:
                return f"busybox's sysctl stops at {file.path}:{line.number}: the kernel rejects it"
            if not plain and name[:1] not in ("#", ";"):
                return f"busybox's sysctl may read {file.path}:{line.number} in another way"
    return ""


def _names(path: str, key: Key) -> bool:
    """Whether a path, exact or glob, reaches the key."""
    return glob_matches(path, key.path) if is_glob(path) else resolved(path) == key.path


def _near_miss(setting: Setting, key: Key) -> str:
    """Why a line that looks like the key's is not; empty where it does not look so."""
    written = simplified(setting.path.strip(" -\t")).replace(".", "/")
    if setting.value is None or written != key.path.replace(".", "/"):
        return ""
    return f"it names another key, /proc/sys/{setting.path}"


def _procps(found: list[Setting], loader: Loader, key: Key) -> tuple[Assignment, ...]:
    """Procps writes in reading order; a glob passes over what any line names by itself."""
    judged: list[Assignment] = []
    for setting in found:
        glob = is_glob(setting.path)
        if glob and not loader.globs:
            if glob_matches(setting.path, key.path):
                why = "this version of procps does not support patterns"
                judged.append(Assignment(setting, None, why))
        elif setting.value is None:
            if _excludes(setting, loader, key):
                judged.append(Assignment(setting, None, "it excludes the key from patterns"))
        elif _names(setting.path, key):
            why = _glob_blocked(found, loader, key) if glob else ""
            judged.append(_written(setting, key, why))
        elif why := _near_miss(setting, key):
            judged.append(Assignment(setting, None, why))
    return _last_wins(judged)


def _excludes(setting: Setting, loader: Loader, key: Key) -> bool:
    if setting.path == key.path:
        return True
    by_pattern = not loader.version or loader.version >= _FNMATCH_EXCLUSIONS
    return by_pattern and name_matches(f"/proc/sys/{setting.path}", f"/proc/sys/{key.path}")


def _glob_blocked(found: list[Setting], loader: Loader, key: Key) -> str:
    """Why no glob reaches the key: a line names it exactly, or excludes it; empty for neither."""
    for setting in found:
        if setting.path == key.path and setting.value is not None:
            return f"patterns skip the key because {setting.where} names it"
        if setting.value is None and _excludes(setting, loader, key):
            return f"{setting.where} excludes the key from patterns"
    return ""


def _systemd(found: list[Setting], loader: Loader, key: Key) -> tuple[Assignment, ...]:
    """Keep one value for each spelled path, the last; then write each once, as systemd does."""
    if not is_selected(loader, key.path):
        why = f"{loader.name} does not set this key"
        return tuple(
            Assignment(setting, None, why)
            for setting in found
            if setting.value is not None and _names(setting.path, key)
        )
    kept, lost = _last_of_each_path(found)
    named = found[kept[key.path]] if key.path in kept else None
    judged = {
        place: entry
        for place, setting in enumerate(found)
        if (entry := _as_systemd(setting, loader, key, lost.get(place, ""), named)) is not None
    }
    writing = [place for place in kept.values() if place in judged]
    judged |= zip(writing, _last_wins([judged[place] for place in writing]), strict=True)
    return tuple(judged[place] for place in sorted(judged))


def _last_of_each_path(found: list[Setting]) -> tuple[dict[str, int], dict[int, str]]:
    """What systemd's table holds in the end: path -> place, and why the other places lost."""
    kept: dict[str, int] = {}
    lost: dict[int, str] = {}
    for place, setting in enumerate(found):
        earlier = kept.get(setting.path)
        if earlier is None:
            kept[setting.path] = place
        elif found[earlier].value == setting.value:
            lost[place] = f"it repeats {found[earlier].where}"
        else:
            how = "turns it into an exclusion" if setting.value is None else "is read after it"
            lost[earlier] = f"{setting.where} {how}"
            del kept[setting.path]
            kept[setting.path] = place
    return kept, lost


def _as_systemd(
    setting: Setting, loader: Loader, key: Key, lost: str, named: Setting | None
) -> Assignment | None:
    """One line as systemd sees it; None where it does not concern the key."""
    glob = is_glob(setting.path)
    path = resolved(setting.path) if loader.follows_dots else setting.path
    if not glob and path == key.path:
        if setting.value is None:
            return Assignment(setting, None, lost or "it excludes the key from patterns")
        return _written(setting, key, lost)
    if setting.value is None or not (glob and glob_matches(setting.path, key.path)):
        why = _near_miss(setting, key)
        return Assignment(setting, None, why) if why else None
    if not loader.globs:
        return Assignment(setting, None, "this version of systemd does not support patterns")
    if not lost and named is not None:
        if named.value is None:
            lost = f"{named.where} excludes the key from patterns"
        else:
            lost = f"patterns skip the key because {named.where} names it"
    return _written(setting, key, lost)


def _written(setting: Setting, key: Key, why: str) -> Assignment:
    stores = key.stores(setting.value or "")
    if stores is None and not why:
        refusal = f"the kernel rejects {_quoted(setting.value or '')}"
        return Assignment(setting, None, refusal, refused=True)
    return Assignment(setting, stores, why)


def _quoted(text: str, most: int = 40) -> str:
    return repr(text if len(text) <= most else text[:most] + "...")


def _last_wins(written: list[Assignment]) -> tuple[Assignment, ...]:
    """Of those written in this order the last one decides."""
    last = max((place for place, entry in enumerate(written) if entry.wins), default=-1)
    return tuple(
        replace(entry, why=f"{written[last].where} is read after it")
        if entry.wins and place != last
        else entry
        for place, entry in enumerate(written)
    )


def _doubt(tree: ConfigTree, loader: Loader, read: LoaderFiles, winner: Assignment | None) -> str:
    """Why the winner may be another one: a file read after it, or whose place is unknown."""
    for file in reversed(read.files):
        if file.lines is None and not file.masks and file.real:
            return f"{file.path} could not be read"
        if winner is not None and file.path == winner.setting.file:
            if is_glob(winner.setting.path):
                continue
            break
    if loader.files is None:
        reason = first_unreadable(SYSCTL, tree.unreadable)
        return f"could not be read: {reason}" if reason else ""
    return ""
