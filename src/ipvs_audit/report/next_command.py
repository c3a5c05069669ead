"""The next command: what an operator types after a run that does not pass everything."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.report.summary import Status, host_status, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipvs_audit.model.results import HostResult, Run

#: What the next run needs of this one's command line: who the hosts are, how they are reached, what
#: must hold on them. What is taken with a value, and what stands alone.
_KEPT = (
    *("--inventory", "--policy", "--estimation", "--waivers", "--vault-password-file"),
    *("--ssh-config", "--known-hosts", "--host-key-policy", "--transport"),
    *("--connect-timeout", "--deadline", "--reports"),
)
_KEPT_ALONE = ("--no-ansible-config",)
_LIMIT = "--limit"
#: More names than these make no command that a person reads.
_MOST_HOSTS = 5
#: Names that are no pattern of Ansible's.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_REDACTED = "***"
_PLANNED = RemediationStatus.PLANNED


def next_command(run: Run, directory: str) -> tuple[str, str]:
    """What to do next, and the command for it; both empty where everything passes.

    Args:
        run: a completed run.
        directory: where its reports are, as they are to be named in a command.
    """
    if _merged(run) or _from_snapshots_alone(run):
        return "", ""
    if any(host.remedy for host in run.hosts):
        return _after_remediation(run, directory)
    if found := _with(run, Status.FAIL):
        return _after_failures(run, found)
    if found := _with(run, Status.ERROR):
        return "after the errors are corrected, audit again", _command(run, found)
    here_only = "--inventory" not in _options(run.argv)[0]
    if run.hosts and here_only and len(_with(run, Status.NOT_APPLICABLE)) == len(run.hosts):
        return "to audit the hosts that run IPVS", f"{_command(run, ())} --inventory FILE"
    return "", ""


def _after_remediation(run: Run, directory: str) -> tuple[str, str]:
    remedies = ((host, host.remedy) for host in run.hosts)
    planned = [host for host, done in remedies if done and done.status is _PLANNED]
    if not planned:
        return "", ""
    approved = f"--remediate --approved-plan {shlex.quote(directory)}"
    return "to do what this plan says", _command(run, planned, approved)


def _after_failures(run: Run, hosts: Sequence[HostResult]) -> tuple[str, str]:
    remediable = {control.id for control in run.controls if control.remediable}
    mending = [host for host in hosts if not remediable.isdisjoint(_failing(host))]
    if not mending:
        return "after the fixes, audit again", _command(run, hosts)
    return "to see what --remediate would change", _command(run, mending, "--remediate-plan")


def _merged(run: Run) -> bool:
    """Whether its command line names no hosts, being that of a merge."""
    return run.argv[:2] == ("ipvs-audit", "merge")


def _from_snapshots_alone(run: Run) -> bool:
    """Whether only the saved evidence says who the hosts are: no inventory to reach them by."""
    saved = any(word.partition("=")[0] == "--from-snapshots" for word in run.argv)
    return saved and "--inventory" not in _options(run.argv)[0]


def _with(run: Run, status: Status) -> list[HostResult]:
    return [host for host in run.hosts if host_status(host) is status]


def _failing(host: HostResult) -> Iterator[str]:
    return (one.control for one in host.controls if status_of(one) is Status.FAIL)


def _command(run: Run, hosts: Sequence[HostResult], more: str = "") -> str:
    words = run.argv[:2] if run.argv[:1] == ("ipvs-audit",) else run.argv[:1] or ("pytest",)
    kept, limit = _options(run.argv)
    names = [host.name for host in hosts]
    few = len(names) <= _MOST_HOSTS and all(map(_PLAIN.fullmatch, names))
    if names and few and run.whole > len(names):
        limit = ",".join(names)
    limited = [_LIMIT, limit] if limit else []
    return " ".join(filter(None, (shlex.join((*words, *kept, *limited)), more)))


def _options(argv: Sequence[str]) -> tuple[list[str], str]:
    """Those options of a command line that the next one needs, and the value of ``--limit``."""
    kept: list[str] = []
    limit = ""
    rest = iter(argv)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _KEPT_ALONE:
            kept.append(word)
        elif name == _LIMIT or name in _KEPT:
            value = value if equals else next(rest, "")
            if name == _LIMIT:
                limit = value
            elif value != _REDACTED:
                kept += [name, value]
    return kept, limit
