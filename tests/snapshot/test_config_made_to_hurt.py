"""Files as a hostile host may describe them: read in time that grows with their size alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from recorded import snapshot

from ipvs_audit.snapshot import GarbledEvidenceError
from ipvs_audit.snapshot.config_files import parse_config_files


def test_a_thousand_directories_that_are_links_are_garbled() -> None:
    recorded = snapshot("namespaced")
    section = recorded.sections["sysctl"]
    links = "".join(f"same /d{number} /etc/sysctl.d\n" for number in range(1000))
    with pytest.raises(GarbledEvidenceError, match="directories are links"):
        parse_config_files(
            {**recorded.sections, "sysctl": replace(section, output=links + section.output)}
        )
