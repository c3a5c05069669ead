"""What the host's own programs answered, as guests of the lab gave it, and what is garbled."""

from __future__ import annotations

import pytest

from ipvs_audit.snapshot import GarbledEvidenceError, Section
from ipvs_audit.snapshot.config_files import Line
from ipvs_audit.snapshot.host_answers import (
    HostAnswers,
    LoadAnswer,
    SysctlAnswer,
    parse_host_answers,
)

NAME = "net.ipv4.vs.run_estimation"

#: A guest with Linux 6.1, kmod 30, procps 4.0.2 and systemd 252: the recipe with an option of the
#: module, and a drop-in that sets the other value and is read before.
RECIPE = """\
asked show-depends ip_vs
line install /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p conn_tab_bits=14 
status 0
asked show-depends ip_vs_rr ip_vs_wrr
line install /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p conn_tab_bits=14 
status 0
asked dry-run --system
writes net.ipv4.vs.run_estimation = 1
writes net.ipv4.vs.run_estimation = 0
writes net.ipv4.vs.run_estimation = 0
status 0
asked dry-run -p
writes net.ipv4.vs.run_estimation = 0
status 0
asked cat-config
file /usr/lib/sysctl.d/50-pid-max.conf
file /etc/sysctl.d/50-x.conf
line 1 net.ipv4.vs.run_estimation = 1
file /usr/lib/sysctl.d/99-protect-links.conf
file /etc/sysctl.d/99-sysctl.conf
line 69 net.ipv4.vs.run_estimation=0
status 0
end
"""  # noqa: W291  # modprobe prints a blank behind the command

#: The same before ip_vs was ever loaded and without any of these files.
UNLOADED = """\
none dry-run the key is not there now
asked show-depends ip_vs
line insmod /lib/modules/6.1.0-50-cloud-amd64/kernel/net/netfilter/ipvs/ip_vs.ko
status 0
asked cat-config
file /usr/lib/sysctl.d/50-pid-max.conf
status 0
end
"""


FAILED, TOO_LONG = "it failed with exit status 1", "it did not end in time, or said too much"


def parsed(text: str) -> HostAnswers:
    return parse_host_answers(Section("asked", "", text, None, 1.0))


def test_a_guest_with_the_recipe() -> None:
    found = parsed(RECIPE)
    runs = "/sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p conn_tab_bits=14 "
    assert found.load == found.dependent_load == LoadAnswer(runs, "")
    assert found.dependents == ("ip_vs_rr", "ip_vs_wrr")
    assert found.system == SysctlAnswer(((NAME, "1"), (NAME, "0"), (NAME, "0")), 0)
    assert found.conf == SysctlAnswer(((NAME, "0"),), 0)
    assert found.files is not None
    assert [(file.path, file.lines) for file in found.files if file.lines] == [
        ("/etc/sysctl.d/50-x.conf", (Line(1, "net.ipv4.vs.run_estimation = 1"),)),
        ("/etc/sysctl.d/99-sysctl.conf", (Line(69, "net.ipv4.vs.run_estimation=0"),)),
    ]
    assert found.not_asked == ()


def test_a_guest_without_ip_vs_loaded() -> None:
    found = parsed(UNLOADED)
    assert found.load is not None
    assert (found.load.command, found.load.file[-9:]) == ("", "/ip_vs.ko")
    assert (found.system, found.conf, found.dependent_load) == (None, None, None)
    assert found.not_asked == (("dry-run", "the key is not there now"),)


@pytest.mark.parametrize(("text", "why"), [
    ("asked show-depends ip_vs\nstatus 1\nend\n", FAILED),
    ("asked cat-config\nfile /etc/sysctl.d/a.conf\nstatus 1\nend\n", FAILED),
    ("asked dry-run -p\nwrites a = 0\nstatus cut\nend\n", TOO_LONG),
    ("asked dry-run -p\nwrites a = 0\nend\n", TOO_LONG),
    ("asked show-depends ip_vs\nline insmod /ip_vs.ko\nend\n", TOO_LONG),
])  # fmt: skip
def test_a_program_that_failed_has_not_answered(text: str, why: str) -> None:
    found = parsed(text)
    assert (found.load, found.files, found.conf) == (None, None, None)
    assert [said for _, said in found.not_asked] == [why]


@pytest.mark.parametrize("text", [
    "", "status 0\nend\n", "asked show-depends ip_vs\nstatus 0\n",
    "asked something\nstatus 0\nend\n",
    "asked dry-run -p\nstatus 0\nasked dry-run -p\nstatus 0\nend\n",
    "asked dry-run -p\nstatus 0\nstatus 0\nend\n", "asked dry-run -p\nstatus x\nend\n",
    "asked dry-run -p\nline 0\nstatus 0\nend\n", "asked dry-run -p\nwrites 0\nstatus 0\nend\n",
    "asked show-depends ip_vs\nwrites a = 0\nstatus 0\nend\n",
    "asked show-depends ip_vs\nline rm -rf\nstatus 0\nend\n",
    "asked show-depends a\nstatus 0\nasked show-depends b\nstatus 0\nend\n",
    "asked cat-config\nline 1 a=1\nstatus 0\nend\n", "asked cat-config\nfile etc\nstatus 0\nend\n",
    "asked cat-config\nfile /a.conf\nline x a=1\nstatus 0\nend\n", "none\nend\n",
])  # fmt: skip
def test_garbled_answers(text: str) -> None:
    with pytest.raises(GarbledEvidenceError):
        parsed(text)
