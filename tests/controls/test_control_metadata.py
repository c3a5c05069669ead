"""What a control says of itself: in its check, on its page, and an organisation's references."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipvs_audit.controls.control import control_of
from ipvs_audit.controls.discovery import find_checks, own_checks

ROOT = Path(__file__).parents[2]
CONTROLS = [
    about for one in find_checks(own_checks()).values() if (about := control_of(one)) is not None
]
each = pytest.mark.parametrize("about", CONTROLS, ids=[one.id for one in CONTROLS])


@each
def test_the_page_gives_the_severity_with_a_reason_and_the_references(about) -> None:  # noqa: ANN001
    page = (ROOT / "docs" / "controls" / f"{about.id}.md").read_text()
    assert f"**Severity:** {about.severity}: " in page
    assert f"**References:** {', '.join(about.references)}.\n" in page


@each
def test_a_control_names_the_file_of_its_check(about) -> None:  # noqa: ANN001
    assert (ROOT / about.file).is_file()


def test_what_delays_packets_now_outranks_what_will_do_so_later() -> None:
    ranks = {one.id: one.severity for one in CONTROLS}
    assert {ranks["EST-1"], ranks["EST-4"], ranks["EST-5"], ranks["EST-6"]} == {"high"}
    assert {ranks["EST-2"], ranks["EST-3"], ranks["EST-7"]} == {"medium"}


def test_own_references_follow_those_of_standards() -> None:
    (about,) = (one for one in CONTROLS if one.id == "EST-4")
    assert about.nist == ("CM-6", "SC-5")
    own = about.with_references(["ACME-LNX-017", "NIST SP 800-53 CM-6"])
    assert own.references == (*about.references, "ACME-LNX-017")
