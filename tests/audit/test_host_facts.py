"""What is said of a host beside its verdicts: nothing that it tells stops a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from recorded import snapshot

from ipvs_audit.audit.host_facts import facts_of


@pytest.mark.parametrize("clock", [253402300800, 10**18 - 1, 10**20 - 1])
def test_a_clock_that_no_calendar_has_is_told_and_stops_nothing(clock: int) -> None:
    made = snapshot("compliant")
    host = made.sections["host"]
    said = f"clock={made.host.clock}"
    assert said in host.output
    told = replace(host, output=host.output.replace(said, f"clock={clock}"))
    facts = facts_of(replace(made, sections={**made.sections, "host": told}))
    assert facts["clock"] == f"unreadable: {clock} s after 1970 is after the year 9999"
    assert facts["host name"] == facts_of(made)["host name"]


def test_a_clock_is_told_where_nobody_says_when_it_was_read() -> None:
    made = snapshot("compliant")
    bare = replace(made, collection=replace(made.collection, started="", finished=""))
    assert facts_of(bare)["clock"].endswith("by its own clock; when it was collected is not known")
