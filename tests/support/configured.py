"""Configuration made by hand, and the scenario folders, as snapshots to judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from made import LOADERS, census, netns, snapshot

from ipvs_audit.model.policy import Policy
from ipvs_audit.persistence.host_config import HostConfig
from ipvs_audit.persistence.tree_on_disk.lines import parse_lines
from ipvs_audit.persistence.tree_on_disk.programs import read_programs, standard_programs
from ipvs_audit.persistence.tree_on_disk.tree import read_tree
from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree
from ipvs_audit.snapshot.host import Loaders
from ipvs_audit.snapshot.kernel import Module
from ipvs_audit.snapshot.next_boot import BootKernel, NextBoot
from ipvs_audit.snapshot.running_values import Compared
from ipvs_audit.snapshot.sysctl_config import settings
from ipvs_audit.snapshot.sysctl_key import is_glob
from ipvs_audit.snapshot.sysctl_loader import Loader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.snapshot import Snapshot
    from ipvs_audit.snapshot.running_values import Answer

SCENARIOS = Path(__file__).parents[1] / "scenarios"


CONF = "/etc/sysctl.conf"
DROP_IN = "/etc/sysctl.d/90-ipvs.conf"
HOOK = "/etc/modprobe.d/ipvs.conf"
OFF = "net.ipv4.vs.run_estimation = 0\n"
ON = "net.ipv4.vs.run_estimation = 1\n"
RECIPE = "install ip_vs /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p\n"


#: A Debian host's usual programs.
PROGRAMS = standard_programs("debian")


def file(path: str, text: str, real: str | None = None) -> ConfigFile:
    """A file with content; ``real`` where it is a link."""
    lines = parse_lines(path, text.encode())
    return ConfigFile(path, path if real is None else real, 0, 0, 0o644, len(text), "", lines)


def tree(files: dict[str, str], **more: Any) -> ConfigTree:
    """A tree of files by path; ``->PATH`` as content is a link."""
    made = {
        path: file(path, files.get(text[2:], "") if text.startswith("->") else text,
                   text[2:] if text.startswith("->") else None)
        for path, text in files.items()
    }  # fmt: skip
    return ConfigTree(made, **{"running": all_equal(made)} | more)


def all_equal(files: Mapping[str, ConfigFile], **others: Answer) -> dict[tuple[str, int], Compared]:
    """What the probe says where each line holds the running value, but for keys by last part."""
    loader = Loader("procps", (4, 0, 2))
    return {
        (path, line.number): Compared(
            setting.path, others.get(setting.path.rpartition("/")[2], "equal")
        )
        for path, each in files.items()
        if "/sysctl" in path
        for line in each.lines or ()
        for setting in settings(each, line, loader)
        if not is_glob(setting.path)
    }


def off(value: int) -> bool:
    """What a policy that wants estimation off accepts."""
    return value == 0


def config(files: dict[str, str], *, loaders: Loaders = LOADERS, **more: Any) -> HostConfig:
    """A subject over a tree of files."""
    return HostConfig(tree(files), loaders, **{"programs": PROGRAMS} | more)


def scenario(folder: Path) -> tuple[Snapshot, Policy]:
    """The host that a scenario folder describes: its files, and host.yml's differences."""
    about = folder / "host.yml"
    given: dict[str, Any] = yaml.safe_load(about.read_text()) if about.exists() else {}
    fields = LOADERS.__slots__
    loaders = {name: given[name] for name in fields if name in given}
    if "procps" in loaders:
        loaders["procps"] = tuple(int(part) for part in str(loaders["procps"]).split("."))
    if "masked_units" in loaders:
        loaders["masked_units"] = tuple(loaders["masked_units"])
    files = read_tree(folder)
    all_loaders = Loaders(**{name: getattr(LOADERS, name) for name in fields} | loaders)
    switch = given.get("has_switch", True)
    words = tuple(given.get("cmdline", ()))
    same_kernel = BootKernel("6.1.0-40-cloud-amd64", "the default entry", words, running=True)
    return (
        snapshot(
            config=ConfigTree(
                files.files,
                given.get("keys", {}),
                tuple(given.get("cmdline", ())),
                files.unreadable,
                files.ignored,
                all_equal(files.files),
            ),
            loaders=all_loaders,
            programs=replace(read_programs(folder, files, all_loaders), shell="dash"),  # noqa: S604
            module=Module(given.get("module", "loaded"), None, switch, 1, ()),
            census=census(netns(raw="0" if switch else None)),
            next_boot=NextBoot((same_kernel,)),
        ),
        Policy(estimation=given.get("estimation", "disabled")),
    )
