"""The command line as a fixture, and the lab's fleet as recorded evidence."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from program import RECORDINGS, Audit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path / "reports")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The lab's fleet as recorded from real kernels, in one file of evidence."""
    lines = [
        (RECORDINGS / f"{name}.jsonl").read_text().strip()
        for name in ("compliant", "drifted", "namespaced", "legacy", "idle")
    ]
    path = tmp_path / "snapshots.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory of those hosts, two of them in a group; none of them can be reached."""
    path = tmp_path / "hosts.yml"
    path.write_text(
        """\
all:
  hosts:
    drifted:
    legacy:
    namespaced:
    idle:
  children:
    good:
      hosts:
        compliant:
  vars:
    ansible_host: 127.0.0.1
    ansible_port: 1
"""
    )
    return path
