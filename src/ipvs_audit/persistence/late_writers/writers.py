"""What else writes the key at a boot or later: units, rc.local, cron, tuned and the like.

Their commands are read by the same shell parser as a hook's, and never run. What passes must be
proven: a script of which every line is known, that surely runs, after ip_vs is there. What may
write another value than the loaders keeps a host from passing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.boot_units import LOADER_UNITS, SURE_TARGETS
from ipvs_audit.persistence.hook.interpreter import loaded, run_shell
from ipvs_audit.persistence.hook.state import Command, State
from ipvs_audit.persistence.late_writers.commands import Writer, command_writers, line_writers
from ipvs_audit.persistence.late_writers.mentions import (
    data_lines,
    holds_key,
    is_script,
    names_of_data,
    script_lines,
)
from ipvs_audit.persistence.late_writers.script_places import (
    CRON,
    UNIT,
    at_any_time_by_place,
    at_boot_by_place,
    elsewhere,
    never_started,
    seen_by_root,
)
from ipvs_audit.persistence.late_writers.tmpfiles import tmpfiles_writers
from ipvs_audit.persistence.late_writers.unit_commands import changes_nothing, unit_script
from ipvs_audit.persistence.late_writers.unit_sandbox import confined_load
from ipvs_audit.persistence.late_writers.unit_starts import concerns_many, starts_of
from ipvs_audit.persistence.prediction import is_compliant
from ipvs_audit.snapshot.config_files import ConfigFile
from ipvs_audit.snapshot.programs import AtPath

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Accepts, Prediction
    from ipvs_audit.snapshot.boot_files import BootFile, BootFiles
    from ipvs_audit.snapshot.sysctl_key import Value

_CRON_FIELDS = re.compile(r"\s*(@\w+|(?:\S+\s+){4}\S+)\s+(.*)")
#: anacrontab(5): period, delay, name, command.
_ANACRON = re.compile(r"\s*(@?\w+)\s+\d+\s+\S+\s+(.*)")
_CREDENTIAL = re.compile(r"systemd\.set_credential(?:_binary)?=sysctl\.")
_SHEBANG = re.compile(r"#![ \t]*(?:/usr)?/bin/(?:ba|da)?sh[ \t]*(-e)?[ \t]*")
_LOADS_FIRST = re.compile(
    r"(?:(?:set -[eux]+|PATH=\S*|export PATH=\S*|:|true)\s*[;\n]\s*)*"
    r"(?:/usr)?/s?bin/modprobe\s+(?:-[qva]+\s+|--\s+)*ip[_-]vs(?:\s*(?:\n|;|&&)|\s*$)"
)


def with_late_writers(
    config: HostConfig, before: Prediction, accepts: Accepts, *, early: bool
) -> Prediction:
    """The value after a boot, once everything that runs at boot has run.

    Args:
        config: the host.
        before: the value by hook, udev and sysctl loaders.
        accepts: the policy.
        early: whether ip_vs is surely loaded before services start.
    """
    if before.fault or before.doubt or config.has_switch is False:
        return before
    found = late_writers(config, before.value, early=early)
    right = before.value is None or is_compliant(accepts, before.value)
    if not right or (early and _sysctl_sets(config)):
        # Something that writes after it was loaded decides, however it was loaded.
        found = tuple(one for one in found if not one.needs_none_loaded)
    good = [one for one in found if one.leaves_only(accepts)]
    bad = [one for one in found if one not in good]
    doubt = ""
    if right and bad and (good or not bad[0].proven):
        doubt = f"{bad[0].sets}, and may do so after ip_vs is loaded"
    elif not right and good and bad:
        doubt = f"{good[0].sets}, {bad[0].sets}, and which is the last is not known"
    elif not right and good and not good[0].proven:
        doubt = (
            f"the host relies on {good[0].sets}; that it does so after ip_vs is loaded is not "
            f"certain ({before.because})"
        )
    elif not right and not good and (open_ := [one for one in bad if not one.values]):
        doubt = f"{open_[0].sets}, and may do so after ip_vs is loaded ({before.because})"
    last = (bad if right else good)[:1]
    if right and not bad:
        doubt = _images(config.boot_files) or _not_searched(config)
    if doubt or not last:
        return replace(before, doubt=doubt)
    return replace(before, value=last[0].values[0], because=_later(before, last[0]))


def _sysctl_sets(config: HostConfig) -> bool:
    """Whether systemd-sysctl writes the key once ip_vs is loaded early."""
    return config.systemd_runs and config.resolve(config.systemd_sysctl).winner is not None


def _not_searched(config: HostConfig) -> str:
    """What the search left out, but for what the probe's user may not read: docs name that."""
    left = [one for one in config.boot_files.unreadable if not one.endswith("permission denied")]
    # systemd.system-credentials(7): what systemd-sysctl reads beside its files.
    left += [one for one in config.tree.cmdline if _CREDENTIAL.match(one)]
    return next((f"what else writes the key is not fully known: {each}" for each in left), "")


def _images(boot: BootFiles) -> str:
    """Why a boot may bring other files: extension images that are not merged yet."""
    kinds = ("systemd-sysext", "extensions", "/usr"), ("systemd-confext", "confexts", "/etc")
    for unit, folder, hierarchy in kinds:
        paths = [path for path in boot.extensions if path.endswith(f"/{folder}")]
        starts = any(name == f"{unit}.service" for name, _ in boot.wanted)
        if paths and starts and f"{hierarchy}/.{unit}" not in boot.merged:
            return f"{paths[0]} holds images that {unit} may merge into {hierarchy} at a boot"
    return ""


def _later(before: Prediction, writer: Writer) -> str:
    return f"{writer.sets} at boot, after ip_vs is loaded; before that {before.because}"


def with_repeated_writers(config: HostConfig, before: Prediction, accepts: Accepts) -> Prediction:
    """What runs at any time (cron, timers, dispatchers) and may spoil a value after a reload."""
    if before.fault or before.doubt or not is_compliant(accepts, before.value):
        return before
    for one in late_writers(config, before.value, early=True):
        if not (one.leaves_only(accepts) or one.needs_none_loaded or one.at_boot):
            return replace(before, doubt=f"{one.sets}, and may do so at any time")
    return before


def late_writers(config: HostConfig, value: Value | None, *, early: bool) -> tuple[Writer, ...]:
    """Everything that may write the key, in the order of the probe."""
    seen = _with_settings(config)
    found: list[Writer] = []
    files = config.boot_files.files.values()
    data = names_of_data(
        file
        for file in files
        if _runs_by_place(config, file.path) is None
        and not (UNIT.search(file.path) or CRON.search(file.path))
        and elsewhere(config, file.path)
    )
    for file in files:
        found += _of_file(seen, file, value, data, early=early)
    return tuple(dict.fromkeys(found))


def _with_settings(config: HostConfig) -> HostConfig:
    """The host with the files that these commands give to sysctl."""
    boot = config.boot_files
    own = {path: AtPath("program", writable=None, same=name) for path, name in boot.programs}
    programs = replace(config.programs, paths={**own, **config.programs.paths})
    more = {}
    for path in boot.named:
        file = boot.files.get(path)
        lines = boot.settings.get(path, () if file is None else file.lines)
        more[path] = ConfigFile(path, path, 0, 0, 0, 0, "", lines)
    tree = replace(config.tree, files={**more, **config.tree.files}) if more else config.tree
    return replace(config, tree=tree, programs=programs)


def _of_file(
    config: HostConfig,
    file: BootFile,
    value: Value | None,
    data: re.Pattern[str] | None,
    *,
    early: bool,
) -> Iterator[Writer]:
    path = file.path
    unit = UNIT.search(path)
    if unit is not None:
        yield from _of_unit(config, file, unit[1], value, early=early)
    elif path.endswith("/rc.local"):
        masked = "rc-local.service" in config.loaders.masked_units
        surely = config.loaders.init == "systemd" and not masked
        yield from _of_executable(config, file, value, early=early, surely=surely)
    elif CRON.search(path):
        yield from _of_crontab(config, file)
    elif "/tmpfiles.d/" in path:  # noqa: S108
        yield from tmpfiles_writers(config, file)
    elif "/sysconfig/modules/" in path and path.endswith(".modules"):
        yield from _of_executable(config, file, value, early=early, surely=False)
    elif (at_boot := _runs_by_place(config, path)) is not None:
        told = script_lines(file) if is_script(file) else file
        yield from line_writers(config, told, at_boot=at_boot)
    elif elsewhere(config, path):
        yield from _of_any(config, file, data)


def _runs_by_place(config: HostConfig, path: str) -> bool | None:
    """Whether something known runs or reads a file at a boot, or any time; None: not known."""
    if at_boot_by_place(config, path):
        return True
    return False if at_any_time_by_place(config, path) else None


def _of_any(config: HostConfig, file: BootFile, data: re.Pattern[str] | None) -> Iterator[Writer]:
    """A file of which it is not known whether something runs it, or reads it.

    A script counts where it names the key, or a file of data that does; what a script is given
    besides, only where something that runs names it.
    """
    called = file.path in config.boot_files.called
    lines = script_lines(file) if is_script(file) else data_lines(file, given=called)
    about = holds_key(file) or (data and any(data.search(line.text) for line in file.lines))
    if called or (about if is_script(file) else file.path.startswith("/etc/")):
        yield from line_writers(config, lines, at_boot=False)


def _of_executable(
    config: HostConfig, file: BootFile, value: Value | None, *, early: bool, surely: bool
) -> Iterator[Writer]:
    """A script that is started where it may be executed."""
    if file.executable:
        yield from _of_script(config, file, value, early=early, surely=surely)
    elif not seen_by_root(config):
        yield from line_writers(config, script_lines(file), at_boot=True)


def _of_unit(
    config: HostConfig, file: BootFile, name: str, value: Value | None, *, early: bool
) -> Iterator[Writer]:
    drop_in = not file.path.endswith(f"/{name}")
    if not drop_in and config.boot_files.units.get(name, file.path) != file.path:
        return  # a file in another folder replaces or masks it
    if name in LOADER_UNITS:
        if drop_in:
            yield from line_writers(config, file, at_boot=True)
        return
    start = starts_of(config.boot_files, name)
    targets = start.targets
    if drop_in and concerns_many(name):
        targets |= {""}
    if start.at_any_time or not targets:
        if start.at_any_time:
            yield from line_writers(config, file, at_boot=False)
        return  # else nothing known starts it: it is disabled
    if (confined := confined_load(config, file, name)) is not None:
        default = config.key.stores("1")
        values = () if default is None else (default,)
        yield Writer(*confined, values, at_boot=True, past_hook=True, confined=True)
    script, known = unit_script(file)
    surely = known and bool(targets & SURE_TARGETS) and not _is_changed(config.boot_files, name)
    surely = surely and not file.path.startswith("/run/")  # gone at a boot
    writer = _proven(config, file, script, value, early=early) if surely else None
    if writer is not None:
        yield writer
    else:
        yield from line_writers(config, file, at_boot=True)


def _is_changed(boot: BootFiles, name: str) -> bool:
    """Whether a drop-in may change what a unit does: its own, of its prefix, or of all units."""
    for file in boot.files.values():
        unit = UNIT.search(file.path)
        if unit is None or not unit[2]:
            continue
        stem = unit[1].removesuffix("service")
        own = unit[1] == name or (stem.endswith("-.") and name.startswith(stem[:-1]))
        if not (own or not stem):
            continue
        # A command that was not brought may stand in place of the unit's.
        if file.others or not all(changes_nothing(line.text.strip()) for line in file.lines):
            return True
    return False


def _of_script(
    config: HostConfig, file: BootFile, value: Value | None, *, early: bool, surely: bool
) -> Iterator[Writer]:
    lines = [line for line in file.lines if not line.text.startswith("#!")]
    first = file.lines[0] if file.lines else None
    # The kernel starts no script without its first line, and systemd none that the kernel does not.
    shell = _SHEBANG.fullmatch(first.text) if first is not None and first.number == 1 else None
    plain = shell is not None and not file.others
    script = "\n".join(line.text for line in lines)
    if shell is not None and shell[1]:
        script = f"set -e\n{script}"
    writer = _proven(config, file, script, value, early=early) if plain and surely else None
    if writer is not None:
        yield writer
    else:
        yield from line_writers(config, script_lines(file), at_boot=True)


def _of_crontab(config: HostConfig, file: BootFile) -> Iterator[Writer]:
    if never_started(config, file.path):
        return
    form = _ANACRON if file.path.endswith("/anacrontab") else _CRON_FIELDS
    has_user = "/spool/" not in file.path and form is _CRON_FIELDS
    for line in file.lines:
        fields = form.fullmatch(line.text)
        if fields is None:
            continue
        command = (fields[2].split(None, 1)[1:] or [""])[0] if has_user else fields[2]
        at_boot = fields[1] == "@reboot"
        where = f"{file.path}:{line.number}"
        yield from command_writers(config, where, command.replace("\\%", "%"), at_boot=at_boot)


def _proven(
    config: HostConfig, file: BootFile, script: str, value: Value | None, *, early: bool
) -> Writer | None:
    """The writer that a script is, where its end is the same however it starts; else None."""
    there = replace(loaded(config), value=value)
    # One that loads ip_vs first finds it as any load leaves it; else it may not be there yet.
    starts = (there,) if early or _LOADS_FIRST.match(script) else (there, State())
    command = Command(script, file.path)
    ends = [end for start in starts for end in run_shell(config, command, start)]
    values = {end.value for end in ends}
    certain = all(end.loaded and end.written and not (end.doubt or end.fault) for end in ends)
    if not certain or len(values) != 1 or None in values:
        return None
    line = file.lines[-1]
    step = ends[0].steps[-1].command
    for each in file.lines:
        line = each if step in " ".join(each.text.split()) else line
    left = tuple(one for one in values if one is not None)
    return Writer(f"{file.path}:{line.number}", step, left, at_boot=True, proven=True)
