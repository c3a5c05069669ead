"""The formats that ``--format`` adds to those that are always written: one registry."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.model.results import Run


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        file: the name of the file in a run's directory; of the first one, where there are more.
        module: of this room; imported when it writes, since ``--help`` needs the names alone.
        function: of the module; takes a run and the path.
    """

    file: str
    module: str
    function: str = "write"

    def write(self, run: Run, path: Path) -> None:
        """Write a run, completed and bounded.

        Raises:
            OSError: it cannot be written.
        """
        getattr(import_module(f"ipvs_audit.report.{self.module}"), self.function)(run, path)


#: By the name that ``--format`` takes, in the order in which they are written.
FORMATS = {
    "csv": Format("results.csv", "csv"),
    "sarif": Format("results.sarif", "sarif"),
    "sarif-all": Format("results-all.sarif", "sarif", "write_all"),
    "hdf": Format("results.hdf.json", "hdf"),
    "oscal": Format("results.oscal.json", "oscal"),
    "prometheus": Format("results.prom", "prometheus"),
}
