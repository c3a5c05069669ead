"""pytest's selection: markers by control and severity for ``-m``, and what was selected, in words.

A control ``EST-1`` of severity high has the markers ``est1`` and ``high``: the control's own
severity, whatever the policy gives it on a host.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.model.control import SEVERITIES
from ipvs_audit.model.shipped import documented_controls
from ipvs_audit.plugin.xdist_roles import is_worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ipvs_audit.audit.session import AuditSession
    from ipvs_audit.model.control import Control

#: Markers that mean something to pytest: no control's.
_PYTESTS = frozenset(
    [
        "filterwarnings",
        "parametrize",
        "skip",
        "skipif",
        "tryfirst",
        "trylast",
        "usefixtures",
        "xfail",
    ]
)
#: pytest's grammar of -m: names, and arguments of a marker, which are left out.
_ARGUMENTS = re.compile(r"\([^()]*=[^()]*\)")
_NAME = re.compile(r"(?:[\w:+.\[\]\\/]|-)+")
#: Suffixes of inventories, which no check has; a name of a host mostly has none, or its domain's.
_INVENTORIES = frozenset(("", ".yml", ".yaml", ".ini", ".json", ".toml", ".cfg"))
_MOST_FILES = 100_000
_WORDS = frozenset(("and", "or", "not", "None", "True", "False"))


def marker_of(control: str) -> str:
    """The marker of a control.

    >>> marker_of("EST-1"), marker_of("MY_RULE-2")
    ('est1', 'myrule2')
    """
    return re.sub("[^a-z0-9]", "", control.lower())


def declare_markers(config: pytest.Config) -> None:
    """Make the markers of the suite's own controls known, for ``--markers`` and ``-m``."""
    for control in sorted(documented_controls()):
        config.addinivalue_line("markers", f"{marker_of(control)}: the control {control}")
    for severity in SEVERITIES:
        config.addinivalue_line("markers", f"{severity}: controls of {severity} severity")


def markers_of(control: Control) -> tuple[str, ...]:
    """The markers of a check."""
    return tuple(
        name for name in (marker_of(control.id), control.severity) if name not in _PYTESTS | {""}
    )


def mark_check(config: pytest.Config, check: object) -> None:
    """Give a check its markers, before pytest makes a test of it for each host."""
    from ipvs_audit.controls.control import control_of  # noqa: PLC0415  # after a mistyped inventory

    control = control_of(check)
    if control is None:
        return
    has = {mark.name for mark in getattr(check, "pytestmark", ())}
    for name in markers_of(control):
        if name not in _declared(config):
            config.addinivalue_line("markers", f"{name}: the control {control.id}")
        if name not in has:
            getattr(pytest.mark, name)(check)


def refuse_unknown_markers(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Refuse ``-m`` with a marker that no test can have: it would select other tests than meant.

    Raises:
        pytest.UsageError: naming those that there are.
    """
    if unknown := _asked(config) - _declared(config):
        unknown -= {mark.name for item in items for mark in item.iter_markers()}
    _refuse(config, unknown)


def refuse_before_workers(config: pytest.Config, audit: AuditSession) -> None:
    """The same where workers select, by the suite's own checks where no others are named.

    Raises:
        pytest.UsageError: naming those that there are.
    """
    unknown = _asked(config) - _declared(config)
    places = [Path(config.invocation_params.dir, one.partition("::")[0]) for one in config.args]
    if unknown and all(one.resolve().is_relative_to(audit.options.checks) for one in places):
        for check in audit.checks.values():
            mark_check(config, check)
        _refuse(config, unknown - _declared(config))


def refuse_an_inventory_as_check(config: pytest.Config) -> None:
    """Refuse a file without its option: `audit hosts.yml` means `audit --inventory hosts.yml`.

    And a folder without checks: this machine would be audited instead of the hosts that it names.

    Raises:
        pytest.UsageError: naming the option.
    """
    if is_worker(config) or config.option.pyargs:
        return
    for word in [one for one in config.args if "::" not in one]:
        place = Path(config.invocation_params.dir, word)
        if (
            not _holds_checks(place, config.getini("python_files"))
            if place.is_dir()
            else place.suffix in _INVENTORIES
        ):
            raise pytest.UsageError(
                f"to audit the hosts of an inventory: --inventory {word}; to choose hosts of it:"
                f" --limit {word}; {word} alone would be a file or folder of checks, and it is none"
            )


def _holds_checks(folder: Path, patterns: Sequence[str]) -> bool:
    """Whether pytest would find a file there; not every file of a disk is looked at."""
    names = (name for _, _, files in os.walk(folder) for name in files)
    return any(fnmatch(name, one) for name in islice(names, _MOST_FILES) for one in patterns)


def refuse_running_no_check(config: pytest.Config) -> None:
    """Refuse options with which pytest runs no test: hosts would be contacted for nothing.

    Raises:
        pytest.UsageError: naming the option that lists the checks.
    """
    for name in ("setupplan", "setuponly"):
        if config.getoption(name, default=False):
            raise pytest.UsageError(
                f"--setup-{name.removeprefix('setup')} runs no check, and nothing would be"
                " evaluated: remove it; --collect-only -q lists the checks and contacts no host"
            )


def nothing_selected(config: pytest.Config) -> str:
    """Why there is no report where no check was selected, and how to select one."""
    by = in_words(config)
    # A test's name holds est_4, so that `-k EST-4` finds nothing.
    asked = config.option.keyword.lower()
    named = [marker_of(one) for one in sorted(documented_controls()) if one.lower() in asked]
    instead = f"select controls with: -m '{' or '.join(named)}'" if named else ""
    return (
        f"no check was selected{by and f' by {by}'}: no host was contacted, and no report was"
        f" written; {instead or 'see what there is with: --collect-only -q'}"
    )


def in_words(config: pytest.Config) -> str:
    """Which of pytest's options select tests, as they were typed; empty where none does."""
    option = config.option
    said = [f"-k {option.keyword!r}"] if option.keyword else []
    said += [f"-m {option.markexpr!r}"] if option.markexpr else []
    said += [f"--deselect {one}" for one in option.deselect or ()]
    said += [f"--ignore {one}" for one in option.ignore or ()]
    said += ["--lf"] if config.getoption("lf", default=False) else []
    return ", ".join(said)


def _refuse(config: pytest.Config, unknown: set[str]) -> None:
    if unknown:
        known = ", ".join(sorted(_declared(config) - _PYTESTS))
        raise pytest.UsageError(
            f"-m {config.option.markexpr!r}: no check has the marker {', '.join(sorted(unknown))};"
            f" there are: {known}"
        )


def _asked(config: pytest.Config) -> set[str]:
    return set(_NAME.findall(_ARGUMENTS.sub("", config.option.markexpr or ""))) - _WORDS


def _declared(config: pytest.Config) -> set[str]:
    lines: list[str] = config.getini("markers")
    return {re.split(r"[:(]", line, maxsplit=1)[0].strip() for line in lines}
