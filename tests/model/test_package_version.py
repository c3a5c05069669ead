"""Versions as dpkg and rpm write them."""

from __future__ import annotations

import pytest

from ipvs_audit.model.package_version import PackageVersion, parse_package_version


@pytest.mark.parametrize(
    ("text", "upstream", "release", "epoch"),
    [
        ("3.3.17", (3, 3, 17), "", 0),
        ("3.3.15-8.el8", (3, 3, 15), "8.el8", 0),
        ("239-82.el8", (239,), "82.el8", 0),
        ("25-20.el8", (25,), "20.el8", 0),
        ("252.38-1~deb12u1", (252, 38), "1~deb12u1", 0),
        ("2:4.0.2-3", (4, 0, 2), "3", 2),
        ("257~rc2-1", (257,), "~rc2-1", 0),
        ("219-78.el7_9.9", (219,), "78.el7_9.9", 0),
    ],
)
def test_a_version_is_read_and_written_alike(
    text: str, upstream: tuple[int, ...], release: str, epoch: int
) -> None:
    found = parse_package_version(text)
    assert found == PackageVersion(upstream, release, epoch)
    assert str(found) == text


@pytest.mark.parametrize(
    "text", ["", "new", "3.", "3..4", "-8", "3-", "3 4", "3.3\n", "\u0663", "1:"]
)
def test_anything_else_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version such as"):
        parse_package_version(text)
