"""What modprobe reads: order, hiding, names, continuation, and what keeps a hook from running."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import HOOK, tree

from ipvs_audit.snapshot.config_files import ConfigTree
from ipvs_audit.snapshot.modprobe_config import ModprobeConfig, read_modprobe, underscored


def config(files: dict[str, str], kmod: int | None = 30) -> ModprobeConfig:
    return read_modprobe(tree(files), kmod)


@pytest.mark.parametrize(
    "line",
    ["install ip_vs true", "install ip-vs true", "install ip?vs true", " install\tip_vs\ttrue",
     "install ip_* true", "install [hi]p_vs true"],
)  # fmt: skip
def test_names_that_mean_ip_vs(line: str) -> None:
    found = config({HOOK: line}).first("install", "ip_vs")
    assert found is not None
    assert found.rest == "true"


@pytest.mark.parametrize(
    "line",
    ["#install ip_vs true", "install ip_vs", "install ip_vs_rr true", "Install ip_vs true",
     "install ip]vs true", "install [ip_vs true", "include /etc/x", ""],
)  # fmt: skip
def test_lines_that_kmod_passes_over(line: str) -> None:
    assert config({HOOK: line}).first("install", "ip_vs") is None


def test_the_first_file_by_name_wins_whatever_its_directory() -> None:
    files = {HOOK: "install ip_vs b", "/usr/lib/modprobe.d/aaa.conf": "install ip_vs a"}
    found = config(files, kmod=34).first("install", "ip_vs")
    assert found is not None
    assert found.where == "/usr/lib/modprobe.d/aaa.conf:1"


def test_a_hidden_hook_is_told() -> None:
    files = {"/usr/lib/modprobe.d/ipvs.conf": "install ip_vs a", HOOK: "# nothing"}
    assert config(files, kmod=34).hidden[0][1] == HOOK


def test_old_kmod_does_not_read_usr_local() -> None:
    files = {"/usr/local/lib/modprobe.d/a.conf": "install ip_vs a"}
    assert config(files, kmod=28).directives == ()
    assert config(files, kmod=30).directives != ()


def test_up_to_kmod_31_a_split_usr_is_not_read() -> None:
    files = {"/usr/lib/modprobe.d/a.conf": "install ip_vs a"}
    assert config(files, kmod=31).directives == ()
    assert config(files, kmod=34).directives != ()


def test_up_to_kmod_31_a_merged_usr_is_read() -> None:
    content, usr = "install ip_vs a", "/usr/lib/modprobe.d/a.conf"
    files = {usr: content, "/lib/modprobe.d/a.conf": f"->{usr}"}
    found = config(files, kmod=31).first("install", "ip_vs")
    assert found is not None
    assert found.where == f"{usr}:1"


def test_alias_files_are_read_before_kmod_33() -> None:
    files = {"/etc/modprobe.d/a.alias": "install ip_vs a"}
    assert config(files, kmod=32).directives != ()
    assert config(files, kmod=34).directives == ()
    assert config(files, kmod=None).directives == ()


@pytest.mark.parametrize(("kmod", "hides"), [(28, True), (33, True), (34, False), (None, False)])
def test_a_link_to_nothing_hides_no_file_from_kmod_34(kmod: int | None, *, hides: bool) -> None:
    """libkmod-config.c's conf_files_filter_out; 28, 30 and 34 were seen to do so."""
    lower = "/usr/lib/modprobe.d/a.conf"
    for target in ("", "/dev/null"):
        files = tree({lower: "install ip_vs a"}).files
        link = replace(files[lower], path="/etc/modprobe.d/a.conf", real=target, lines=())
        found = read_modprobe(ConfigTree({**files, link.path: link}), kmod)
        assert (found.directives == ()) is (hides or bool(target))


@pytest.mark.parametrize(
    ("line", "bypassed"),
    [
        ("softdep ip_vs pre: nf_conntrack", True),
        ("softdep ip_vs post: ip_vs_rr", True),
        ("softdep ip_vs nf_conntrack", False),
        ("softdep ip_vs pre:", False),
        ("softdep ip_vs_rr pre: a", False),
        ("softdep ip_vs  pre: a", False),
        ("softdep ip_vs   pre: a", True),
        ("softdep ip_vs  pre: a post: b", True),
    ],
)
def test_soft_dependencies_bypass_the_hook(line: str, *, bypassed: bool) -> None:
    assert (config({HOOK: line}).soft_dependencies("ip_vs") is not None) is bypassed


def test_modules_softdep_bypasses_the_hook_too() -> None:
    files = tree({HOOK: "install ip_vs true"})
    read = read_modprobe(files, 30, "12:softdep ip_vs pre: nf-conntrack post: a")
    found = read.soft_dependencies("ip_vs")
    assert found is not None
    assert (found[0].where, found[1]) == ("modules.softdep:12", ("nf_conntrack", "a"))


@pytest.mark.parametrize(
    ("name", "first"),
    [
        # Seen with kmod 28, 30 and 34: modules.softdep has its place by its name.
        *(("a.conf", True), ("modules.conf", True), ("modules.softdep-a.conf", False)),
        *(("modules.sofu.conf", False), ("n.conf", False), ("z.conf", False)),
    ],
)
def test_modules_softdep_is_read_among_the_files_by_its_name(name: str, *, first: bool) -> None:
    files = tree({f"/etc/modprobe.d/{name}": "softdep ip_vs pre: nf_nat"})
    found = read_modprobe(files, 30, "1:softdep ip_vs pre: no_such").soft_dependencies("ip_vs")
    assert found is not None
    assert found[1] == (("nf_nat",) if first else ("no_such",))
    assert read_modprobe(files, 30, "1:softdep ip_vs pre:").soft_dependencies("ip_vs") == (
        found if first else None
    )


def test_where_the_version_is_not_known_alias_files_may_be_read() -> None:
    files = tree({"/etc/modprobe.d/a.alias": "blacklist ip_vs"})
    read = [read_modprobe(files, kmod) for kmod in (32, 33, None)]
    assert [(len(each.directives), len(each.maybe)) for each in read] == [(1, 0), (0, 0), (0, 1)]


def test_only_the_first_softdep_line_counts() -> None:
    files = {HOOK: "softdep ip_vs x\nsoftdep ip_vs pre: a"}
    assert config(files).soft_dependencies("ip_vs") is None


def test_underscored() -> None:
    assert underscored("ip[-_]vs-rr") == "ip[-_]vs_rr"
