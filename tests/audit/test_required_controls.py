"""What 'Compliant' needs: every required control, whether its check is selected or even there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipvs_audit.audit.session import AuditSession
from ipvs_audit.controls.control import control
from ipvs_audit.controls.discovery import ChecksError, find_checks, own_checks

if TYPE_CHECKING:
    from pathlib import Path

EST = tuple(f"EST-{number}" for number in range(1, 7))


def required(*left_out: str, **more: object) -> tuple[str, ...]:
    """What a session calls required that evaluated nothing yet."""
    session = AuditSession.__new__(AuditSession)
    session.controls = {}
    checks = {name: one for name, one in find_checks(own_checks()).items() if name not in left_out}
    vars(session)["checks"] = checks | more
    return session._required()


def test_the_suites_own_controls_are_required_but_those_on_request() -> None:
    assert required() == EST


def test_a_control_with_a_page_and_without_a_check_stays_required() -> None:
    assert required("EST-6") == EST


def test_a_new_control_is_required_without_being_listed_anywhere() -> None:
    @control("OPS-1", "swap-off", severity="low", source="house rules", fix="swapoff -a")
    def check(snapshot: object, policy: object, assessment: object) -> None:
        """Load balancers do not swap."""

    assert required(**{"OPS-1": check}) == (*EST, "OPS-1")


def test_two_checks_of_one_control_do_not_load(tmp_path: Path) -> None:
    source = (own_checks() / "test_est_4_live_value.py").read_text()
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(source)
    with pytest.raises(ChecksError, match="a second check of EST-4"):
        find_checks(tmp_path)
