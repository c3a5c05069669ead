"""``ipvs-audit explain PATH...``: why a sysctl sticks, or does not.

PATH is a file tree (a mounted image, a container's root, ``/``), or a saved run.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from ipvs_audit.cli.arguments import Parser, refuse
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.model.package_version import PackageVersion, parse_package_version
from ipvs_audit.model.sanitise import visible
from ipvs_audit.model.text import counted
from ipvs_audit.persistence.explanation import Explanation, explain, with_versions
from ipvs_audit.persistence.host_config import HostConfig, host_config_of
from ipvs_audit.persistence.tree_on_disk.loaders import detect_loaders
from ipvs_audit.persistence.tree_on_disk.modules import read_softdep
from ipvs_audit.persistence.tree_on_disk.next_boot import read_next_boot
from ipvs_audit.persistence.tree_on_disk.programs import read_programs
from ipvs_audit.persistence.tree_on_disk.tree import read_tree
from ipvs_audit.report.terminal_lines import print_lines
from ipvs_audit.snapshot import Failure, GarbledEvidenceError
from ipvs_audit.snapshot.store import NAME, StoreError, read
from ipvs_audit.snapshot.sysctl_key import RUN_ESTIMATION, Key, is_glob, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipvs_audit.persistence.resolution import Resolution
    from ipvs_audit.snapshot.sysctl_loader import Loader

_NAME_ONE = "name the root of a file tree, or a saved run"
_LOADERS = ("sysctl-p", "sysctl-system", "systemd-sysctl")
_DESCRIPTION = """\
Shows every line that concerns a sysctl key, loader by loader, which one wins, and why the others
are not used; then the value after a reload of ip_vs and after a boot, and the verdicts of EST-2
and EST-3 for the policy "estimation: disabled". No file is changed; no program of a tree is run."""
_VERSIONS = """\
versions: VERSION is the upstream version, with or without the package's release: 3.3.15-8.el8,
239-82.el8, 25-20.el8. Builds of procps 3.3.15 and 3.3.17 differ in how they read files: the
release decides. Of systemd and kmod the first number of the version decides."""


def main(argv: Sequence[str]) -> ExitCode:
    """Explain trees and saved runs.

    Returns:
        OK when all were explained, USAGE when one, or a host of one, could not be read.
    """
    arguments = _parser().parse_args(argv)
    status, lines = ExitCode.OK, []
    for path in arguments.path:
        for host, found in _explained(path, arguments):
            if arguments.format == "text":
                _print_text(path, host, found, heading=len(arguments.path) > 1)
            elif arguments.format == "jsonl":
                sys.stdout.write(f"{json.dumps(_as_json(path, host, found))}\n")
            else:
                lines.append(_as_json(path, host, found))
            if isinstance(found, str):
                status = ExitCode.USAGE
    if arguments.format == "json":
        sys.stdout.write(f"{json.dumps(lines, indent=2)}\n")
    return status


def _parser() -> Parser:
    parser = Parser("ipvs-audit explain", _DESCRIPTION, epilog=_VERSIONS)
    parser.add_argument(
        "path", nargs="+", type=Path, metavar="PATH", help="a file tree's root, or a saved run"
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "jsonl"),
        default="text",
        help="json: a list with an object for each path, or each host of a saved run; jsonl: the"
        " same, one a line (default: text)",
    )
    key = parser.add_argument_group("key")
    key.add_argument(
        "--key", type=_key, default=RUN_ESTIMATION, help=f"default: {RUN_ESTIMATION.dotted}"
    )
    key.add_argument(
        "--integer",
        action="store_true",
        help="the key holds an integer, so the kernel rejects other values (run_estimation does)",
    )
    loaders = parser.add_argument_group("loaders")
    loaders.add_argument(
        "--loader",
        action="append",
        choices=_LOADERS,
        help="only this loader; repeatable (default: all that are active on the host)",
    )
    for program in ("procps", "systemd", "kmod"):
        loaders.add_argument(
            f"--{program}",
            type=_version,
            metavar="VERSION",
            help=f"read the files as this version of {program} does",
        )
    return parser


def _version(text: str) -> PackageVersion:
    try:
        return parse_package_version(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _key(text: str) -> Key:
    key = parse_key(text)
    parts = key.path.split("/")
    odd = is_glob(text) or "=" in text or not text.isprintable() or " " in text.strip()
    if odd or any(part in ("", ".", "..") for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a key such as {RUN_ESTIMATION.dotted}")
    return key


def _explained(
    path: Path, arguments: argparse.Namespace
) -> Iterator[tuple[str, Explanation | str]]:
    """Each host of a path with its explanation, or the reason why there is none."""
    key = Key(arguments.key.path, integer=arguments.integer or arguments.key.integer)
    versions = arguments.procps, arguments.systemd, arguments.kmod
    try:
        for host, found in _host_configs(path, key):
            if isinstance(found, HostConfig):
                config = with_versions(found, *versions)
                yield host, explain(config, _chosen(config, arguments.loader or ()))
            else:
                yield host, found
    except OSError as error:
        yield "", f"it cannot be read ({error.strerror or error}); {_NAME_ONE}"
    except StoreError as error:
        yield "", str(error)


def _host_configs(path: Path, key: Key) -> Iterator[tuple[str, HostConfig | str]]:
    """The hosts of a saved run, or the one that a tree is, without a name."""
    if not path.is_file() and not (path / NAME).is_file():
        if path.is_dir() and not (path / "etc").is_dir():
            yield "", f"it holds no etc/ and no saved run; {_NAME_ONE}"
            return
        tree, loaders = read_tree(path), detect_loaders(path)
        programs = read_programs(path, tree, loaders)
        yield (
            "",
            HostConfig(
                tree,
                loaders,
                key=key,
                softdep=read_softdep(path),
                programs=programs,
                next_boot=read_next_boot(path),
            ),
        )
        return
    for evidence in read(path):
        if isinstance(evidence, Failure):
            yield evidence.target, f"it was not collected: {evidence.message}"
            continue
        try:
            yield evidence.target, host_config_of(evidence, key)
        except GarbledEvidenceError as error:
            yield evidence.target, str(error)


def _chosen(config: HostConfig, names: Sequence[str]) -> tuple[Loader, ...]:
    known = (config.sysctl_p, config.sysctl_system, config.systemd_sysctl)
    by_name = dict(zip(_LOADERS, known, strict=True))
    return tuple(by_name[name] for name in names)


def _as_json(path: Path, host: str, found: Explanation | str) -> dict[str, Any]:
    line: dict[str, Any] = {"path": str(path)} | ({"host": host} if host else {})
    return line | ({"error": found} if isinstance(found, str) else found.as_json())


def _print_text(path: Path, host: str, found: Explanation | str, *, heading: bool) -> None:
    title = ": ".join([*([str(path)] if heading else []), *([host] if host else [])])
    if isinstance(found, str):
        where = [] if found.startswith(str(path)) else [str(path)]
        refuse("explain", visible(": ".join([*where, *([host] if host else []), found])))
        return
    console = Console(highlight=False)
    if title:
        print_lines(console, Text(visible(title), style="bold"))
    print_lines(console, Text(visible(found.summary), style="bold"))
    for resolution in found.resolutions:
        _print_resolution(console, resolution)
    lines = [f"after a reload: {found.reload.summary}"] if found.reload else []
    lines += [f"after a boot: {found.boot.summary}", *found.ignored, *found.answers]
    lines += [f"assumed: {each}" for each in found.assumed]
    lines += [
        f"{control}: {verdict.word}" for control, verdict in found.verdicts.items() if verdict
    ]
    for line in lines:
        print_lines(console, Text(visible(line)))


def _print_resolution(console: Console, found: Resolution) -> None:
    """The lines that a loader reads of the key, one below the other; a path is never broken."""
    title = f"{found.loader.name} ({found.loader.version_text or 'current'})"
    print_lines(console, Text(visible(title), style="underline"))
    for entry in found.assignments:
        line = visible(f"{entry.where}: {entry.setting.text.strip()}")
        if entry.stores is not None:
            line += visible(f" (stores {entry.stores})")
        mark, style = ("wins  ", "bold green") if entry.wins else ("      ", "")
        _print_below(console, line, mark, style)
        if entry.why:
            _print_below(console, visible(f"not used: {entry.why}"), " " * 8)
    if not found.assignments:
        files = counted(len(found.files), "file")
        _print_below(console, f"no line sets the key in the {files} that it reads", " " * 6)
    if found.doubt:
        _print_below(console, visible(f"not certain: {found.doubt}"), " " * 6)


def _print_below(console: Console, text: str, mark: str, style: str = "") -> None:
    """A text behind a mark, its further lines as far to the right."""
    for line in Text(text).wrap(console, max(console.width - len(mark), 20)):
        line.rstrip()
        console.print(Text(mark + line.plain, style=style), soft_wrap=True)
        mark = " " * len(mark)
