"""modprobe passes over a hook where its module has soft dependencies that exist.

What kmod 28, 30 and 34 did with ``install ip_vs /bin/hook`` and each line, by ``modprobe
--show-depends ip_vs`` in the oracle's userlands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, HOOK, OFF, PROGRAMS, RECIPE, config, off

from ipvs_audit.persistence.explanation import explain
from ipvs_audit.persistence.host_config import Asked, HostConfig
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.tree_on_disk.loaders import detect_loaders
from ipvs_audit.persistence.tree_on_disk.modules import read_softdep
from ipvs_audit.persistence.tree_on_disk.programs import read_programs
from ipvs_audit.persistence.tree_on_disk.tree import read_tree
from ipvs_audit.snapshot.host_answers import HostAnswers, LoadAnswer

if TYPE_CHECKING:
    from pathlib import Path

TOLD = replace(
    PROGRAMS,
    modules={"nf_nat": True, "nope": False, "nope2": False},
    unresolvable=frozenset(("nope", "nope2")),
)
MODULES = "lib/modules/6.1.0"
FILE = f"/{MODULES}/kernel/net/netfilter/ipvs/ip_vs.ko"


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("softdep ip_vs pre: nope", True),
        ("softdep ip_vs post: nope", True),
        ("softdep ip_vs pre: nope post: nope2", True),
        ("softdep ip_vs pre: nope\nsoftdep ip_vs pre: nf_nat", True),
        ("softdep ip_vs pre: nope nf_nat", False),
        ("softdep ip_vs pre: nf-nat", False),
        ("softdep ip_vs pre: nope post: nf_nat", False),
        ("softdep ip_vs pre: ip_vs", False),
        ("alias other nope\nsoftdep ip_vs pre: other", False),
        ("install hooked /bin/h\nsoftdep ip_vs pre: hooked", False),
        ("softdep ip_vs pre: untold", None),
        ("softdep ip_vs pre: nope untold", None),
        ("softdep ip_vs pre: untold nf_nat", False),
    ],
)
def test_a_hook_runs_where_no_soft_dependency_exists(line: str, holds: bool | None) -> None:
    files = {CONF: OFF, HOOK: f"{RECIPE}{line}\n"}
    found = after_reload(config(files, programs=TOLD), off)
    assert found.holds(off) is holds, found.summary


@pytest.mark.parametrize("line", ["softdep ip_vs post: ip_vs_rr", "softdep ip_vs pre: nf_nat"])
def test_the_hook_of_a_soft_dependency_may_set_the_value(line: str) -> None:
    """The oracle, seed 970002 case 125: the value was what that hook's sysctl had set, not 1."""
    name = line.rpartition(" ")[2]
    hook = f"install {name} /sbin/modprobe -i {name} && /sbin/sysctl --system\n"
    files = {CONF: OFF, HOOK: f"{RECIPE}{hook}{line}\n"}
    found = after_reload(config(files, programs=TOLD), off)
    assert found.holds(off) is None, found.summary
    assert f"and the hook in {HOOK}:2 may set the value" in found.summary


def test_an_unknown_soft_dependency_is_no_matter_without_a_hook() -> None:
    found = after_reload(config({CONF: OFF, HOOK: "softdep ip_vs pre: untold\n"}), off)
    assert found.holds(off) is False


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        (LoadAnswer(command=f"{RECIPE.removeprefix('install ip_vs ').strip()} ", file=""), True),
        (LoadAnswer(command="", file=FILE), False),
    ],
)
def test_what_modprobe_says_to_root_settles_it(
    answer: LoadAnswer, *, holds: bool, root: bool
) -> None:
    made = config({CONF: OFF, HOOK: f"{RECIPE}softdep ip_vs pre: untold\n"})
    asked = Asked(HostAnswers(load=answer), root, made.tree, made.loaders)
    found = after_reload(replace(made, asked=asked), off)
    assert found.holds(off) is (holds if root else None)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A tree with programs, a kernel and the recipe."""
    for path in ("bin/sh", "sbin/modprobe", "sbin/sysctl"):
        put(tmp_path, path, "")
        (tmp_path / path).chmod(0o755)
    put(tmp_path, f"{MODULES}/modules.dep", "kernel/net/nf_nat.ko.xz: kernel/a.ko\n")
    put(tmp_path, f"{MODULES}/modules.builtin", "kernel/lib/within.ko\n")
    put(tmp_path, f"{MODULES}/modules.alias", "alias crc32c crc32c_intel\nalias net-pf-* nf_nat\n")
    put(tmp_path, f"{MODULES}/modules.builtin.modinfo", "within.alias=inside\0within.license=GPL\0")
    put(tmp_path, CONF[1:], OFF)
    put(tmp_path, HOOK[1:], RECIPE)
    return tmp_path


def put(top: Path, path: str, text: str) -> None:
    (top / path).parent.mkdir(parents=True, exist_ok=True)
    (top / path).write_text(text)


def read(top: Path) -> HostConfig:
    tree, loaders = read_tree(top), detect_loaders(top)
    programs = read_programs(top, tree, loaders)
    return HostConfig(tree, loaders, softdep=read_softdep(top), programs=programs)


@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        *(("nf_nat", True), ("nf-nat", True), ("within", True), ("crc32c", None)),
        *(("inside", None), ("net-pf-10", None), ("nope", False)),
    ],
)
@pytest.mark.parametrize("by_depmod", [True, False])
def test_a_tree_tells_which_modules_there_are(
    image: Path, name: str, skipped: bool | None, *, by_depmod: bool
) -> None:
    """An alias leads to a module that may not load: that modprobe skips the hook is not certain."""
    line = f"softdep ip_vs pre: {name}\n"
    if by_depmod:
        put(image, f"{MODULES}/modules.softdep", f"# by depmod\n{line}")
    else:
        put(image, HOOK[1:], RECIPE + line)
    reload = explain(read(image)).reload
    assert reload is not None
    assert reload.holds(off) is {True: False, None: None, False: True}[skipped]
    assert skipped is False or ("modules.softdep:2" in reload.reason) is by_depmod


def test_a_tree_without_lists_of_modules_tells_nothing(image: Path) -> None:
    (image / MODULES / "modules.alias").unlink()
    put(image, HOOK[1:], f"{RECIPE}softdep ip_vs pre: nope\n")
    reload = explain(read(image)).reload
    assert reload is not None
    assert reload.holds(off) is None
