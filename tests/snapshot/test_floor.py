"""Kernel releases against documented floors, with the release strings seen in the field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipvs_audit.snapshot.floor import floor_for, reaches

AL2, AL3 = "4.19.91-22", "5.10.134-14"


SYSTEM = {AL2: "alinux2", AL3: "alinux3"}


@pytest.mark.parametrize(
    ("release", "floor", "answer"),
    [
        ("4.19.91-26.6.al7.x86_64", AL2, True),
        ("4.19.91-22.al7.x86_64", AL2, True),
        ("4.19.91-21.2.al7.x86_64", AL2, False),
        ("4.19.81-17.2.al7.x86_64", AL2, False),
        ("5.10.134-16.3.al8.aarch64", AL3, True),
        ("5.10.134-14.al8.x86_64", AL3, True),
        ("5.10.134-14.al8", AL3, True),
        ("5.10.134-14.1.al8.x86_64", AL3, True),
        ("5.10.134-13.1.al8.x86_64", AL3, False),
        ("5.10.112-11.2.al8.x86_64", AL3, False),
        ("5.10.23-6.al8.x86_64", AL3, False),
        ("5.10.135-c8dfc93.al8.x86_64", AL3, True),
        ("4.19.91-c8dfc93.al7.x86_64", AL2, None),
        ("5.10.134+", AL3, None),
        ("not a release", AL3, None),
        ("", AL3, None),
    ],
)
def test_a_release_reaches_its_floor_by_base_then_build(
    release: str, floor: str, answer: bool | None
) -> None:
    assert reaches(release, floor, SYSTEM[floor]) is answer


@pytest.mark.parametrize(
    ("release", "floor"),
    [
        ("5.10.84-10.4.al7.x86_64", AL2),
        ("5.10.134-16.3.al8.x86_64", AL2),
        ("6.6.102-5.2.alnx4.x86_64", AL3),
        ("5.10.200-1.el8.elrepo.x86_64", AL3),
        ("6.1.0-1.el8.elrepo.x86_64", AL3),
        ("5.10.134-16.3.al80.x86_64", AL3),
        ("5.10.134-16.3.x86_64", AL3),
        ("5.10.0-216.0.0.115.oe2203sp4.x86_64", AL3),
        ("5.10.134-17.an23.x86_64", AL3),
        ("5.14.0-427.el9.x86_64", AL3),
        ("5.11.0-c8dfc93", AL3),
    ],
)
def test_a_floor_says_nothing_of_kernels_outside_its_own_series(release: str, floor: str) -> None:
    assert reaches(release, floor, SYSTEM[floor]) is None


def test_a_floor_of_a_distribution_without_a_known_tag_holds_for_its_series() -> None:
    assert reaches("6.1.0-40-cloud-amd64", "6.1.0", "debian12") is None
    assert reaches("6.1.3-1", "6.1.2-5", "debian12") is True
    assert reaches("6.12.3-1", "6.1.2-5", "debian12") is None


def test_a_digit_that_starts_a_commit_hash_is_no_build_number() -> None:
    assert reaches("4.19.91-26deadb.al7.x86_64", AL2, "alinux2") is None


def test_a_floor_that_is_no_release_is_said() -> None:
    with pytest.raises(ValueError, match="newest"):
        reaches("5.10.134-14", "newest", "alinux3")


@given(st.text())
def test_no_release_string_crashes(release: str) -> None:
    assert reaches(release, AL3, "alinux3") in (True, False, None)


@pytest.mark.parametrize(
    ("os_id", "os_version", "key"),
    [
        ("alinux", "2.1903", "alinux2"),
        ("alinux", "3", "alinux3"),
        ("alinux", "3 (Soaring Falcon)", "alinux3"),
        ("debian", "12", "debian12"),
    ],
)
def test_the_floor_is_looked_up_by_major_version(os_id: str, os_version: str, key: str) -> None:
    assert floor_for(os_id, os_version) == key
