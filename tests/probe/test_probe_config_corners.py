"""What loaders read beyond the plain cases: the probe brings it, in every shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from probe_runs import SHELLS
from test_probe_config import lines, put, root, tree

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
