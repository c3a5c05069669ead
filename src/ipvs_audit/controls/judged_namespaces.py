"""Which network namespaces the policy judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.snapshot.namespaces import Census, Netns


def judged_namespaces(census: Census, policy: Policy) -> list[Netns]:
    """The namespaces, other than the host's own, that EST-5 judges.

    Those that hold IPVS rules; every one where the policy says so. One that ended while the probe
    looked is left out: there is nothing left to judge.
    """
    return [
        netns
        for netns in census.others
        if netns.why_unread != "gone" and (policy.namespaces == "every" or netns.holds_rules)
    ]
