"""Fifty network namespaces on each kernel; a third end while the remedy is at work."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from planned import value_steps
from remedied import VALUE, Remedied

from ipvs_audit.model.policy import Policy
from lab import fleet as lab_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 50
ENDING = MANY // 3
CROWD = f"seq 1 {MANY} | sed 's/^/netns add many/' | ip -batch -"
#: Ends every third of them once the host's own value is set: half-way.
END = f"""(until [ "$(cat {VALUE})" = 0 ]; do sleep 0.2; done
seq 3 3 {MANY} | sed 's/^/netns delete many/' | ip -batch -) </dev/null >/dev/null 2>&1 &"""


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def host(request: pytest.FixtureRequest, _qemu_works: None) -> Iterator[Remedied]:
    folder = lab_fleet.own_folder() / f"many-{request.param}"
    guest = lab_fleet.boot(request.param, folder, name="many", states=["unset"])
    # An emulated CPU takes a fifth of a second to enter one.
    yield Remedied(guest, deadline=900)
    guest.stop()


def test_all_are_set_though_some_end_and_all_are_put_back(host: Remedied) -> None:
    host.guest.ssh(CROWD, timeout=300)
    # The counters of namespaces without rules would take minutes, and are not what this is about.
    evidence = host.collect()
    host.policy = Policy(namespaces="every")
    made = host.plan(evidence)
    assert len(value_steps(made)) == MANY + 1
    assert made.ready, made.blocked
    host.guest.ssh(END)
    report = host.apply(made)
    assert report.complete, report
    assert not report.unsettled, report.problem
    ended = [answer for answer in report.steps if answer.outcome == "gone"]
    assert 0 < len(ended) <= ENDING
    assert values(host) == {"0": MANY - ENDING}
    undone = host.undo()
    assert undone.undo_complete, undone.problem
    assert values(host) == {"1": MANY - ENDING}
    assert host.value() == "1"


def values(host: Remedied) -> Counter[str]:
    """How many namespaces run with each value."""
    told = host.guest.ssh(f"ip -all netns exec cat {VALUE}", timeout=600).stdout
    return Counter(line for line in told.split() if line in ("0", "1"))
