"""The file that ufw gives to sysctl when it starts: IPT_SYSCTL in /etc/default/ufw."""

from __future__ import annotations

import pytest
from configured import OFF, off
from test_late_writers import HOOKED, booted, host

from ipvs_audit.snapshot.config_files import Line

OWN = "/etc/ufw/sysctl.conf"
DEFAULTS = "/etc/default/ufw"
FUNCTIONS = "/usr/lib/ufw/ufw-init-functions"
APPLIES = 'if [ -s "$IPT_SYSCTL" ]; then\nsysctl -e -q -p $IPT_SYSCTL || true\nfi'


def ufw(
    assignment: str, own: tuple[Line, ...] = (), *, applies: str = APPLIES, **files: str
) -> bool | None:
    """Whether a host with the recipe and ufw keeps the value."""
    writers = {DEFAULTS: assignment, FUNCTIONS: applies, **files}
    about = host(HOOKED, writers, named=(OWN,), settings={OWN: own} if own else {})
    return booted(about).holds(off)


@pytest.mark.parametrize("assignment", [f"IPT_SYSCTL={OWN}", f'IPT_SYSCTL="{OWN}" # ours'])
def test_ufw_as_it_is_shipped_is_no_doubt(assignment: str) -> None:
    assert ufw(assignment) is True
    assert ufw(assignment, (Line(3, OFF.strip()),)) is True
    braces = APPLIES.replace("$IPT_SYSCTL", "${IPT_SYSCTL}")
    assert ufw(assignment, applies=braces) is True
    assert ufw("IPT_SYSCTL=/etc/sysctl.conf") is True  # as ufw's own comment advises


def test_a_wrong_value_in_the_file_that_ufw_applies_keeps_a_host_from_passing() -> None:
    wrong = (Line(3, "net/ipv4/vs/run_estimation=1"),)
    assert ufw(f"IPT_SYSCTL={OWN}", wrong) is not True
    assert ufw(f"IPT_SYSCTL=/etc/sysctl.conf\nIPT_SYSCTL={OWN}", wrong) is not True


@pytest.mark.parametrize(
    "assignment",
    [
        "",
        "IPT_SYSCTL=$DIR/sysctl.conf",
        f"IPT_SYSCTL={OWN}\nIPT_SYSCTL=$(cat /x)",
        f"IPT_SYSCTL={OWN}; IPT_SYSCTL=/srv/x",
        f": ${{IPT_SYSCTL:={OWN}}}",
        f"IPT_SYSCTL={OWN}\nread IPT_SYSCTL < /x",
        "IPT_SYSCTL=/srv/not-brought.conf",
    ],
)
def test_a_file_that_ufw_s_settings_do_not_tell_is_a_doubt(assignment: str) -> None:
    assert ufw(assignment) is None


def test_a_later_assignment_in_ufw_s_other_files_counts() -> None:
    more = {"/etc/ufw/ufw.conf": "IPT_SYSCTL=$OTHER"}
    assert ufw(f"IPT_SYSCTL={OWN}", **more) is None


def test_the_variable_of_another_program_is_not_ufw_s() -> None:
    writers = {DEFAULTS: f"IPT_SYSCTL={OWN}", "/etc/init.d/x": "sysctl -p $IPT_SYSCTL"}
    assert booted(host(HOOKED, writers, named=(OWN,))).holds(off) is None
