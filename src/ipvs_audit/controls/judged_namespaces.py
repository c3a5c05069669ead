"""Which network namespaces the policy judges, and whether an ACK host's exemption holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.snapshot.namespaces import open_places

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.snapshot.namespaces import Census, Netns


def judged_namespaces(census: Census, policy: Policy) -> list[Netns]:
    """The namespaces, other than the host's own, that EST-5 judges.

    Those that hold IPVS rules; every one where the policy says so. One that ended while the probe
    looked is left out: there is nothing left to judge. None on a host that is exempt.
    """
    if is_exempt(census, policy):
        return []
    return [
        netns
        for netns in census.others
        if netns.why_unread != "gone" and (policy.namespaces == "every" or netns.holds_rules)
    ]


def is_exempt(census: Census, policy: Policy) -> bool:
    """Whether the policy exempts other namespaces (``ack``), and nothing contradicts that."""
    return policy.ack and not ack_contradiction(census, policy)


def ack_contradiction(census: Census, policy: Policy) -> str:
    """Why an ACK host is not exempt, as the start of a message; empty where it is, or is none.

    On ACK kube-proxy keeps all rules in the host's namespace. Rules elsewhere, or a thread of the
    estimator that runs for another namespace, show that something else is at work.
    """
    if not policy.ack:
        return ""
    holding = [one.name for one in census.others if one.holds_rules and one.why_unread != "gone"]
    if holding:
        more = f" and {len(holding) - 1} more" if holding[1:] else ""
        verb = "hold" if holding[1:] else "holds"
        return f"exempt as an ACK host, but {holding[0]}{more} {verb} IPVS rules; "
    if threads := census.other_threads:
        return f"exempt as an ACK host, but {threads[0]} runs for another namespace; "
    return ""


def uninspected(census: Census, policy: Policy) -> str:
    """Why a namespace that the policy judges may not have been seen; empty where none can be."""
    estimating_only = policy.estimation == "disabled" and policy.namespaces != "every"
    return "; ".join(open_places(census, estimating_only=estimating_only))


def garbled_namespaces(census: Census) -> str:
    """What of other namespaces could not be read, as a message; empty where all could."""
    if not census.garbled:
        return ""
    return f"evidence of other network namespaces cannot be read: {'; '.join(census.garbled[:5])}"
