"""Documentation that quotes a limit quotes the one that holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipvs_audit.model import limits

ROOT = Path(__file__).parents[2]
QUOTED = {
    "docs/performance.md": f"up to {limits.HOSTS_PER_FORK} times `--forks` of them",
    "docs/scale.md": f"{limits.HOSTS_PER_FORK} times `--forks` hosts at a time",
    "docs/known-limitations.md": f"waits for its second sample: {limits.FORKS} hosts",
    "docs/least-privilege.md": f"timeout -k 3 {limits.HOST_DEADLINE + 1:.0f} sh -c",
    "docs/architecture.md": (
        f"{limits.CONNECT_TIMEOUT:g} s to connect, {limits.HOST_DEADLINE:g} s for a host, "
        f"{limits.SCRIPT_OUTPUT // 2**20} MiB of output, {limits.SCRIPT_ERRORS // 2**10} KiB of"
    ),
    "inventories/policy.yml": f"{limits.SHORTEST_SPAN} to {limits.LONGEST_SPAN} seconds",
}


@pytest.mark.parametrize("page", QUOTED)
def test_page_quotes_the_limit_that_holds(page: str) -> None:
    text = " ".join((ROOT / page).read_text().split())
    assert QUOTED[page] in text
