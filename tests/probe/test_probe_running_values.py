"""How the lines of sysctl files compare with the running values, in every shell."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from probe_runs import AWKS, SHELLS, part, run

from ipvs_audit.snapshot.running_values import SECTION, parse_running_values

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.snapshot import Section

#: Values in a network namespace of its own; what is of the machine is only read.
VALUES = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/tcp_rmem": "4096 131072 6291456",
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/lo/disable_ipv6": "1",
    "net/ipv6/conf/lo/accept_redirects": "0",
}
IN_NAMESPACE = (
    "unshare", "-n", "sh", "-c",
    "".join(f"echo {value} >/proc/sys/{key}; " for key, value in VALUES.items()) + 'exec "$0" "$@"',
)  # fmt: skip


def compared(root: Path, text: str, *before: str, shell: str = "sh") -> tuple[Section, list[str]]:
    """What the probe says of each line of a sysctl.conf, in order."""
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/sysctl.conf").write_text(text)
    section = run(SHELLS[shell], root=root, before=before or IN_NAMESPACE)[SECTION]
    found = parse_running_values(section)
    path = str(root / "etc/sysctl.conf")
    return section, [f"{number} {one.answer}" for (file, number), one in found.items()
                     if file == path]  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
def test_each_line_is_equal_or_differs_or_is_not_there(tmp_path: Path, shell: str) -> None:
    text = (
        "net.ipv4.ip_forward = 0\n"
        "-net/ipv4/ip_forward=1\r\n"
        "# kernel.x = 1\n"
        "net.ipv4.tcp_rmem =  4096   131072\t6291456 \n"
        "net.ipv4.tcp_rmem = 4096 131072\n"
        "net.ipv4.nosuchkey = 1\n"
        "kernel.ostype = Linux\n"
        "vm.drop_caches = 3\n"
        "net.ipv4.route.flush = 1\n"
        "kernel = 1\n"
        "net.ipv4.conf.*.rp_filter = 1\n"
        "not an assignment\n"
        "net.ipv4.vs.run_estimation = 0\n"
    )
    assert compared(tmp_path, text, shell=shell)[1] == [
        "1 differs", "2 equal", "4 equal", "5 differs", "6 absent", "7 readonly", "8 acts",
        "9 acts", "10 unread", "13 absent",
    ]  # fmt: skip


def test_a_key_of_all_interfaces_is_equal_only_where_each_has_the_value(tmp_path: Path) -> None:
    """Writing all/disable_ipv6 sets each interface; all/accept_redirects sets none."""
    text = (
        "net.ipv6.conf.all.disable_ipv6 = 0\nnet.ipv6.conf.all.accept_redirects = 1\n"
        "net.ipv6.conf.lo.accept_redirects = 0\nnet.ipv6.conf.all.forwarding = 0\n"
    )
    assert compared(tmp_path, text)[1] == ["1 differs", "2 equal", "3 equal", "4 equal"]


def test_no_value_leaves_the_host(tmp_path: Path) -> None:
    section, found = compared(tmp_path, "kernel.core_pattern = hunter2\nnet.ipv4.ip_forward = 7\n")
    assert found == ["1 differs", "2 differs"]
    assert "hunter2" not in section.output + section.command
    assert "7" not in section.output.replace(str(tmp_path), "")


def test_a_link_and_a_file_that_a_hook_names_are_compared(tmp_path: Path) -> None:
    for folder in ("etc/sysctl.d", "etc/modprobe.d", "opt"):
        (tmp_path / folder).mkdir(parents=True)
    named = tmp_path / "opt/x.conf"
    named.write_text("net.ipv4.ip_forward = 1\n")
    (tmp_path / "etc/modprobe.d/x.conf").write_text(
        f"install ip_vs /sbin/modprobe -i ip_vs && /sbin/sysctl -p {named}\n"
    )
    (tmp_path / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    section, _ = compared(tmp_path, "net.ipv4.ip_forward = 0\n")
    found = {file: one.answer for (file, _), one in parse_running_values(section).items()}
    etc = tmp_path / "etc"
    assert found == {
        str(etc / "sysctl.conf"): "differs",
        str(etc / "sysctl.d/99-sysctl.conf"): "differs",
        str(named): "equal",
    }


def test_what_an_ordinary_account_cannot_read_is_not_compared(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:3]:
        folder.chmod(0o755)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    text = "kernel.cad_pid = 1\nkernel.ostype = Linux\n"
    assert compared(tmp_path, text, *nobody)[1] == ["1 unread", "2 readonly"]


def test_many_and_long_lines_are_not_compared(tmp_path: Path) -> None:
    many = "".join(f"net.ipv4.x{number} = 1\n" for number in range(1100))
    assert set(compared(tmp_path, many)[1]) == {f"{number} unread" for number in range(1, 1001)}
    assert compared(tmp_path, f"kernel.core_pattern = {'x' * 1100}\n")[1] == []


@pytest.mark.parametrize("awk", AWKS.values(), ids=AWKS)
def test_every_awk_takes_the_comparison(awk: list[str]) -> None:
    given = {
        "SETS": "file /etc/a\n3 a/b 1 2\n4 c/d 1\n",
        "MODES": "644 /dev/null\n644 /proc/sys/a/b\n444 /proc/sys/c/d",
        "RUNS": "/proc/sys/a/b:1\t2\n/proc/sys/c/d:1",
        "PATH": "/usr/bin:/bin",
    }
    ran = subprocess.run(
        [*awk, part("running_awk")],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=given,
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("file /etc/a\nequal 3 a/b\nreadonly 4 c/d\n", "")
