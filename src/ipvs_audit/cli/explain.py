"""``ipvs-audit explain PATH``: why a sysctl sticks, or does not.

PATH is a file tree (a mounted image, a container's root, ``/``), or a saved run. Printed are
every assignment in reading order with the winner marked, loader by loader, and then what a
reload of ip_vs and a boot leave.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ipvs_audit.cli.arguments import Parser, refuse
from ipvs_audit.cli.exit_codes import ExitCode
from ipvs_audit.model.sanitise import visible
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.file_tree import read_tree
from ipvs_audit.persistence.host_config import HostConfig, host_config_of
from ipvs_audit.persistence.persisted_value import active_loaders
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.tree_loaders import detect_loaders
from ipvs_audit.snapshot import Failure, GarbledEvidenceError
from ipvs_audit.snapshot.store import NAME, StoreError, read
from ipvs_audit.snapshot.sysctl_key import RUN_ESTIMATION, Key, parse_key

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ipvs_audit.persistence.resolution import Resolution
    from ipvs_audit.snapshot.sysctl_config import Loader

_LOADERS = ("sysctl-p", "sysctl-system", "systemd-sysctl")


def main(argv: Sequence[str]) -> ExitCode:
    """Explain a tree or a saved run.

    Returns:
        OK when it was explained, USAGE when it, or a host of it, could not be read.
    """
    asked = _arguments().parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    status = ExitCode.OK
    try:
        for name, config in _host_configs(asked.path, parse_key(asked.key)):
            if name:
                console.print(Text(visible(name), style="bold"))
            if isinstance(config, str):
                console.print(Text(visible(f"cannot be explained: {config}")))
                status = ExitCode.USAGE
                continue
            chosen = _as_if(config, asked)
            _explain(console, chosen, _chosen(chosen, asked.loader))
    except (OSError, StoreError, GarbledEvidenceError) as error:
        return refuse("explain", visible(str(error)))
    return status


def _arguments() -> Parser:
    parser = Parser(
        "ipvs-audit explain",
        "Says which line wins for a sysctl key, and what a reload and a boot leave.",
    )
    parser.add_argument("path", type=Path, help="a file tree's root, or a saved run")
    parser.add_argument("--key", default=RUN_ESTIMATION.dotted, help="default: %(default)s")
    parser.add_argument(
        "--loader",
        action="append",
        choices=_LOADERS,
        help="only this loader; repeatable (default: all that count on the host)",
    )
    parser.add_argument("--procps", type=_version, help="take procps to be this version: 3.3.17")
    parser.add_argument("--systemd", type=int, help="take systemd to be this version: 252")
    return parser


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _as_if(config: HostConfig, asked: argparse.Namespace) -> HostConfig:
    """The subject with the loaders' versions that were asked for."""
    loaders = config.loaders
    if asked.procps:
        loaders = replace(loaders, procps=asked.procps)
    if asked.systemd:
        loaders = replace(loaders, systemd_version=asked.systemd)
    return replace(config, loaders=loaders)


def _host_configs(path: Path, key: Key) -> Iterator[tuple[str, HostConfig | str]]:
    """The hosts of a saved run, or the one that a tree is; in words why one cannot be read."""
    if path.is_file() or (path / NAME).is_file():
        for evidence in read(path):
            if isinstance(evidence, Failure):
                yield evidence.target, f"it was not collected: {evidence.message}"
                continue
            try:
                yield evidence.target, host_config_of(evidence, key)
            except GarbledEvidenceError as garbled:
                yield evidence.target, str(garbled)
    else:
        yield "", HostConfig(read_tree(path), detect_loaders(path), key=key)


def _chosen(config: HostConfig, names: list[str] | None) -> tuple[Loader, ...]:
    if not names:
        return active_loaders(config)
    known = (config.sysctl_p, config.sysctl_system, config.systemd_sysctl)
    files_by_name = dict(zip(_LOADERS, known, strict=True))
    return tuple(files_by_name[name] for name in names)


def _explain(console: Console, config: HostConfig, loaders: tuple[Loader, ...]) -> None:
    for loader in loaders:
        console.print(_table(config.resolve(loader)))
    if config.needs_module:
        console.print(Text(visible(f"after a reload: {after_reload(config, _off).summary}")))
    console.print(Text(visible(f"after a boot: {after_boot(config, _off).summary}")))


def _off(value: int) -> bool:
    return value == 0


def _table(found: Resolution) -> Table:
    version = ".".join(map(str, found.loader.version))
    table = Table(title=f"{found.loader.name} ({version or 'current'})", title_justify="left")
    for heading in ("", "where", "line", "stores", "why not"):
        table.add_column(heading, overflow="fold")
    for entry in found.assignments:
        stores = "" if entry.stores is None else str(entry.stores)
        row = ("wins" if entry.wins else "", entry.where, entry.setting.text, stores, entry.why)
        shown = [Text(visible(text)) for text in row]
        table.add_row(*shown, style="bold" if entry.wins else None)
    if not found.assignments:
        table.add_row(
            "", Text(f"no line for it in the {len(found.files)} files that it reads"), "", "", ""
        )
    if found.doubt:
        table.caption = Text(visible(f"not certain: {found.doubt}"))
    return table
