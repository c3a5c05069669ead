"""What loaders read beyond the plain cases: the probe brings it, in every shell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from probe_runs import SHELLS, run
from test_probe_config import lines, put, root, tree

from ipvs_audit.persistence.tree_on_disk.lines import parse_lines

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["root"]  # the fixture, from there


@pytest.mark.parametrize("shell", SHELLS)
def test_hidden_sysctl_files_are_brought_as_procps_reads_them(root: Path, shell: str) -> None:
    put(root, "etc/sysctl.d/.hidden.conf", "a.b = 1\n")
    put(root, "etc/modprobe.d/.hidden.conf", "install ip_vs /bin/true\n")
    read = tree(root, shell)
    assert lines(read, "/etc/sysctl.d/.hidden.conf") == [(1, "a.b = 1")]
    assert "/etc/modprobe.d/.hidden.conf" not in read.files


@pytest.mark.parametrize("shell", SHELLS)
def test_a_comment_that_a_carriage_return_ends_is_brought(root: Path, shell: str) -> None:
    put(root, "etc/sysctl.conf", "# old\rnet.ipv4.vs.run_estimation = 0\n# plain\r\na.b = 1\n")
    assert lines(tree(root, shell), "/etc/sysctl.conf") == [
        (1, "# old\rnet.ipv4.vs.run_estimation = 0"),
        (3, "a.b = 1"),
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_only_an_odd_number_of_backslashes_continues_a_line(root: Path, shell: str) -> None:
    put(
        root,
        "etc/modprobe.d/a.conf",
        "install ip_vs one \\\n two\ninstall ip_vs x\\\\\nalias y ip_vs\n",
    )
    read = lines(tree(root, shell), "/etc/modprobe.d/a.conf")
    assert read == [
        (1, "install ip_vs one  two"),
        (3, "install ip_vs x\\\\"),
        (4, "alias y ip_vs"),
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_module_that_needs_ip_vs_is_brought_from_modules_load(root: Path, shell: str) -> None:
    put(root, "etc/modules-load.d/a.conf", "xt_ipvs\nloop\n")
    assert lines(tree(root, shell), "/etc/modules-load.d/a.conf") == [(1, "xt_ipvs")]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_that_a_hook_names_and_that_is_not_there_is_said(root: Path, shell: str) -> None:
    hook = f"install ip_vs /sbin/modprobe -i ip_vs && /sbin/sysctl -p {root}/etc/ipvs/none.conf\n"
    (root / "etc/ipvs").mkdir()
    put(root, "etc/modprobe.d/ipvs.conf", hook)
    read = tree(root, shell)
    named = read.files["/etc/ipvs/none.conf"]
    assert (named.real, named.lines) == ("", ())


RULES = r"""# local \
ACTION=="add", RUN+="sysctl one"
ACTION=="add", \
# a comment \
   KERNEL=="x", \
 RUN+="sysctl two"
RUN+="sys\
  ctl three"
ACTION=="add" \\
RUN+="sysctl four"
RUN+="sysctl five" \

RUN+="sysctl six"
RUN+="sysctl seven"
RUN+="sysctl eight" \
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_udev_rules_are_joined_as_udev_joins_them(root: Path, shell: str) -> None:
    put(root, "etc/udev/rules.d/a.rules", RULES)
    read = tree(root, shell).files["/etc/udev/rules.d/a.rules"].lines
    assert read == parse_lines("/etc/udev/rules.d/a.rules", RULES.encode())
    assert [(line.number, line.joined) for line in read or ()] == [
        (2, ""),
        (3, "old"),
        (7, "old"),
        (9, ""),
        (11, "open"),
        (13, "open"),
        (14, ""),
        (15, "open"),
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_hook_that_ends_with_its_file_in_a_backslash_is_marked(root: Path, shell: str) -> None:
    for name, end in (("a", "\\"), ("b", "\\\n"), ("c", "\\\n\n"), ("d", "\\\n# x")):
        text = f"install ip_vs /bin/true {end}"
        put(root, f"etc/modprobe.d/{name}.conf", text)
        path = f"/etc/modprobe.d/{name}.conf"
        read = tree(root, shell).files[path].lines
        assert read == parse_lines(path, text.encode())
        assert [line.joined for line in read or ()] == ["open" if name in "ab" else ""]


@pytest.mark.parametrize("shell", SHELLS)
def test_pipes_and_endless_files_are_named_and_not_read(root: Path, shell: str) -> None:
    """/proc/kmsg is a regular file that never ends: reading it hung the whole probe."""
    named = root / "etc/pipe"
    hook = f"install ip_vs /sbin/modprobe -i ip_vs && /sbin/sysctl -p {named}\n"
    put(root, "etc/modprobe.d/a.conf", hook)
    put(root, "etc/sysctl.d/z.conf", "a.b = 1\n")
    put(root, "etc/sysctl.d/empty.conf")
    endless = []
    for folder, ending in (
        ("etc/sysctl.d", "conf"),
        ("etc/modprobe.d", "conf"),
        ("etc/udev/rules.d", "rules"),
        ("etc/modules-load.d", "conf"),
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
        endless += [root / folder / f"{name}.{ending}" for name in ("kmsg", "pipe", "zero")]
        endless[-3].symlink_to("/proc/kmsg")
        os.mkfifo(endless[-2])
        endless[-1].symlink_to("/dev/zero")
    for folder in ("etc/cron.d", "etc/systemd/system/systemd-sysctl.service.d"):
        (root / folder).mkdir(parents=True)
        (root / folder / "kmsg.conf").symlink_to("/proc/kmsg")
    (root / "etc/sysctl.d/kmsg.cnf").symlink_to("/proc/kmsg")
    os.mkfifo(named)
    read = tree(root, shell)
    shown = [str(path).removeprefix(str(root)) for path in endless]
    wanted = {f"{path}: not a regular file" for path in (*shown, "/etc/pipe")}
    assert wanted <= set(read.unreadable)
    assert lines(read, "/etc/sysctl.d/z.conf") == [(1, "a.b = 1")]
    assert lines(read, "/etc/sysctl.d/empty.conf") == []


def test_programs_are_not_asked_where_they_would_read_a_file_that_never_ends(root: Path) -> None:
    os.mkfifo(root / "etc/sysctl.d/pipe.conf")
    told = run(root=root, loaded=True)["asked"].output
    assert "none dry-run a file that it reads is no regular file\n" in told
    assert "none cat-config a file that it reads is no regular file\n" in told
