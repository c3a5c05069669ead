"""The model of the loaders and of modprobe, against what the real programs did.

``tests/corpus/loaders/README.md`` says where the cases come from.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from configured import LOADERS

from ipvs_audit.persistence.host_config import HostConfig
from ipvs_audit.persistence.loader_failures import exit_status_unknown, failure_reasons
from ipvs_audit.persistence.reload import find_hook
from ipvs_audit.persistence.tree_on_disk.tree import read_tree
from ipvs_audit.snapshot.programs import Programs
from ipvs_audit.snapshot.sysctl_key import Key, loader_path, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.snapshot.config_files import ConfigTree

CORPUS = Path(__file__).parents[1] / "corpus/loaders"
KEY = Key("net/ipv4/tcp_base_mss", integer=True)
BEFORE = 77
#: The keys that the machine of the corpus had.
KEYS = (KEY.path, "net/ipv4/tcp_reordering")
#: What the probe does not ask the kernel for.
ODD = re.compile(r"[*?\[ \t\x01-\x1f\x7f]|\.\.|^\.|^/|^$")

#: The package's release of each file, and in how many cases the model does not commit itself:
#: of the value, of the exit status. Measured on 2026-11-26; they must not grow.
SYSCTL = {
    "procps-3.3.10-el7": ("28.el7", 0, 0),
    "procps-3.3.15-el8": ("14.el8", 0, 0),
    "procps-3.3.16": ("1ubuntu2", 0, 0),
    "procps-3.3.17": ("5", 0, 0),
    "procps-3.3.17-el9": ("14.el9", 0, 91),
    "procps-4.0.2": ("3", 0, 68),
    "procps-4.0.4": ("9", 0, 68),
    "systemd-219-el7": ("78.el7", 0, 0),
    "systemd-239-el8": ("82.el8", 0, 0),
    "systemd-249": ("", 0, 38),
    "systemd-252": ("", 0, 35),
    "systemd-255": ("", 0, 35),
}
#: The modules of the machine of the corpus, besides ip_vs itself.
MACHINE = Programs(modules={"nf_conntrack": True, "libcrc32c": True, "ip_vs_rr": True})
MODPROBE = ("kmod-20-el7", "kmod-25", "kmod-28", "kmod-29", "kmod-30", "kmod-31", "kmod-34")


def cases(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(CORPUS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def lay_out(top: Path, case: dict[str, Any]) -> Path:
    """The case's files on disk."""
    (top / "etc").mkdir(parents=True)
    link = {"/lib": {"link": "usr/lib"}} if "mode" in case else {}
    for path, content in sorted((link | case["files"]).items()):
        place = Path(f"{top}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            place.symlink_to(content["link"])
        else:
            place.write_bytes(content.encode("latin-1"))
    return top


def tree_of(top: Path, case: dict[str, Any]) -> ConfigTree:
    """The case's files, laid out on disk and read as ``explain`` reads an image."""
    tree = read_tree(lay_out(top, case))
    lines = [line.text for file in tree.files.values() for line in file.lines or ()]
    return replace(tree, keys=dict(answer for text in lines for answer in asked(text)))


def asked(line: str) -> Iterator[tuple[str, bool]]:
    """What the probe says of the key that a line sets."""
    name, equals, _ = line.partition("=")
    key = re.sub(r"^[ \t]*-?[ \t]*", "", name).rstrip(" \t")
    if equals and not ODD.search(key) and len(key) <= 256:
        yield key, resolved(loader_path(key)) in KEYS


@pytest.mark.parametrize("name", SYSCTL)
def test_sysctl_loaders_agree_with_the_model(name: str, tmp_path: Path) -> None:
    program, number, *_ = name.split("-")
    version = tuple(map(int, number.split(".")))
    release, most_values, most_statuses = SYSCTL[name]
    loaders = (
        replace(LOADERS, procps=version, procps_release=release)
        if program == "procps"
        else replace(LOADERS, systemd_version=version[0], systemd_release=release)
    )
    values: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    wrong = []
    for place, case in enumerate(cases(name)):
        config = HostConfig(tree_of(tmp_path / str(place), case), loaders, key=KEY)
        loader = config.systemd_sysctl
        if program == "procps":
            loader = config.sysctl_p if case["mode"] == "p" else config.sysctl_system
        found = config.resolve(loader)
        value = BEFORE if found.value is None else found.value
        said = "unsure" if found.doubt else "agrees" if value == case["value"] else "differs"
        values[said] += 1
        reasons = failure_reasons(config, loader, key_exists=True)
        failed = bool(case["status"])
        ends = (
            "unsure"
            if exit_status_unknown(config, loader, key_exists=True)
            else "agrees"
            if bool(reasons) is failed
            else "differs"
        )
        statuses[ends] += 1
        if "differs" in (said, ends):
            wrong.append((place, said, value, ends, reasons, case))
    print(f"\n{name}: value {dict(values)}, exit status {dict(statuses)}")  # noqa: T201
    assert not wrong, wrong[:3]
    assert values["unsure"] <= most_values
    assert statuses["unsure"] <= most_statuses


@pytest.mark.parametrize("name", MODPROBE)
def test_modprobe_agrees_with_the_model(name: str, tmp_path: Path) -> None:
    loaders = replace(LOADERS, kmod=int(name.split("-")[1]))
    said: Counter[str] = Counter()
    wrong = []
    for place, case in enumerate(cases(name)):
        config = HostConfig(tree_of(tmp_path / str(place), case), loaders, programs=MACHINE)
        hook, _ = find_hook(config)
        runs, model = hook_of(case["output"]), " ".join(hook.rest.split()) if hook else ""
        same = runs in (model, f"{model} x=1")  # modprobe shows the module's options as well
        said["agrees" if same else "differs"] += 1
        if not same:
            wrong.append((place, model, case))
    print(f"\n{name}: {dict(said)}")  # noqa: T201
    assert not wrong, wrong[:3]


def hook_of(output: list[str]) -> str:
    """The command that a load of ip_vs runs, as ``modprobe --show-depends`` shows it.

    Empty where it loads the file; dependencies may have commands of their own.
    """
    if any("/ip_vs.ko" in line for line in output) or not output:
        return ""
    lines = " ".join(output).split("install ")
    return " ".join(lines[-1].split()) if len(lines) > 1 else ""
