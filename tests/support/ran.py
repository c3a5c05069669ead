"""What a run of the audit left behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a run left behind."""

    status: int
    output: str
    reports: Path

    @property
    def latest(self) -> Path:
        return self.reports / "latest"

    @property
    def results(self) -> dict[str, Any]:
        return json.loads((self.latest / "results.json").read_text())  # type: ignore[no-any-return]

    def verdicts(self) -> dict[str, dict[str, str]]:
        return {
            host["name"]: {one["id"]: one["verdict"] for one in host["controls"]}
            for host in self.results["hosts"]
        }
