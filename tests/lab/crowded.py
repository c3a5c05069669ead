"""A host with many network namespaces, of which some end while a remedy is at work."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from remedied import VALUE

from ipvs_audit.policy import Policy

if TYPE_CHECKING:
    from remedied import Remedied

CROWD = "seq 1 {} | sed 's/^/netns add many/' | ip -batch -"
#: Ends every third of them once the host's own value is set: half-way.
END = """(until [ "$(cat {})" = 0 ]; do sleep 0.2; done
seq 3 3 {} | sed 's/^/netns delete many/' | ip -batch -) </dev/null >/dev/null 2>&1 &"""


def set_and_put_back(host: Remedied, *, namespaces: int) -> None:
    """Set the value everywhere, though some namespaces end meanwhile, and take it back."""
    deadline, host.deadline = host.deadline, 900
    ending = namespaces // 3
    try:
        host.guest.ssh(CROWD.format(namespaces), timeout=300)
        taken = host.look()
        host.policy = Policy(namespaces="every")
        made = host.plan(taken)
        assert len(made.namespaces) == namespaces + 1
        assert made.ready, made.impossible
        host.guest.ssh(END.format(VALUE, namespaces))
        report = host.apply(made)
        assert report.whole, report
        assert not report.wrong, report.why
        ended = [answer for answer in report.answers if answer.word == "gone"]
        assert 0 < len(ended) <= ending
        assert _values(host) == {"0": namespaces - ending}
        undone = host.undo()
        assert undone.undone, undone.why
        assert _values(host) == {"1": namespaces - ending}
        assert host.value() == "1"
    finally:
        host.deadline = deadline
        host.guest.ssh("ip -all netns delete", timeout=300)


def _values(host: Remedied) -> Counter[str]:
    """How many namespaces run with each value."""
    told = host.guest.ssh(f"ip -all netns exec cat {VALUE}", timeout=600).stdout
    return Counter(line for line in told.split() if line in ("0", "1"))
