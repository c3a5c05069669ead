"""The formats that ``--format`` adds to those that are always written: one registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.report import csv, hdf, oscal, prometheus, sarif

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipvs_audit.model.results import Run


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        file: the name of the file in a run's directory; of the first one, where there are more.
        write: writes a run, completed and bounded, to a path; raises OSError.
    """

    file: str
    write: Callable[[Run, Path], None]


#: By the name that ``--format`` takes, in the order in which they are written.
FORMATS = {
    "csv": Format("results.csv", csv.write),
    "sarif": Format("results.sarif", sarif.write),
    "sarif-all": Format("results-all.sarif", sarif.write_all),
    "hdf": Format("results.hdf.json", hdf.write),
    "oscal": Format("results.oscal.json", oscal.write),
    "prometheus": Format("results.prom", prometheus.write),
}
