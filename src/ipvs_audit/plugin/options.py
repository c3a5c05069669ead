"""What ipvs-audit adds to pytest's command line.

Imported by ``--help`` and by every pytest of a checkout: it needs neither pytest nor what an audit
needs.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ipvs_audit.audit.options import DEFAULT_POLICY
from ipvs_audit.latency.options import add_latency_options
from ipvs_audit.model import limits
from ipvs_audit.model.text import hours
from ipvs_audit.remedy.options import add_remediation_options
from ipvs_audit.report.options import add_output_options

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from ipvs_audit.model.shard import Shard


def add_options(parser: pytest.Parser) -> None:
    """Declare the options by section, in the order in which a user meets them."""
    _add_audit_options(parser.getgroup("ipvs-audit: audit").addoption)
    _add_connection_options(parser.getgroup("ipvs-audit: connection").addoption)
    add_latency_options(parser.getgroup("ipvs-audit: latency").addoption)
    reports = parser.getgroup("ipvs-audit: reports").addoption
    reports("--reports", metavar="DIR", help="directory of the runs (default: reports)")
    add_output_options(reports)
    add_remediation_options(parser.getgroup("ipvs-audit: remediation").addoption)


def _add_audit_options(add: Callable[..., None]) -> None:
    add(
        "--inventory",
        action="append",
        default=[],
        metavar="PATH",
        help="Ansible inventory to audit; repeatable (default: the one that ansible.cfg or"
        " ANSIBLE_INVENTORY names, else this machine)",
    )
    add("--limit", metavar="PATTERN", help="Ansible host pattern, e.g. 'ipvs:&eu:!old'")
    add(
        "--shard",
        type=_shard,
        metavar="K/N",
        help="audit only part K of N of the hosts, chosen by name; ipvs-audit merge makes one run"
        " of the N",
    )
    add("--policy", metavar="FILE", help=f"policy file (default: a checkout's {DEFAULT_POLICY})")
    add(
        "--estimation",
        choices=("disabled", "enabled"),
        help="required state of estimation (default: the policy's)",
    )
    add(
        "--from-snapshots",
        metavar="PATH",
        help="evaluate a run's saved evidence (directory or snapshots.jsonl.gz); contacts no host",
    )
    add(
        "--max-age",
        type=hours,
        metavar="DAYS|HOURSh",
        help="older evidence is an error, e.g. 7 or 36h (default: the policy's; any age)",
    )
    add(
        "--resume",
        metavar="RUN",
        help="take over the evidence of a run that was interrupted or killed, collect the rest",
    )
    add("--waivers", metavar="FILE", help="accepted failures: who approved which, until when")
    add(
        "--waiver-warning-days",
        type=_at_least(0),
        default=14,
        metavar="N",
        help="list waivers that expire within N days (default 14)",
    )
    add("--baseline", metavar="RUN", help="compare with an earlier run: its directory, or latest")


def _add_connection_options(add: Callable[..., None]) -> None:
    add(
        "--forks",
        type=_at_least(1),
        default=limits.FORKS,
        metavar="N",
        help=f"hosts connected to at a time (default {limits.FORKS});"
        f" {limits.HOSTS_PER_FORK} times as many may be under way",
    )
    add(
        "--processes",
        type=_at_least(1, limits.MOST_PROCESSES),
        metavar="N",
        help=f"processes that collect, 1 to {limits.MOST_PROCESSES}, which share --forks (default:"
        f" as many as there are cores, up to {limits.USUAL_PROCESSES}, from"
        f" {limits.SEVERAL_PROCESSES_FROM} hosts on, else 1)",
    )
    add(
        "--engine",
        metavar="dask://HOST:PORT",
        help="collect on the workers of a Dask cluster (dask+tls:// by TLS) instead of here",
    )
    add(
        "--engine-plain-secrets",
        action="store_true",
        help="allow host passwords to be sent to the engine unencrypted",
    )
    add(
        "--connect-timeout",
        type=_seconds,
        default=limits.CONNECT_TIMEOUT,
        metavar="S",
        help=f"seconds to connect and log in (default {limits.CONNECT_TIMEOUT:g})",
    )
    add(
        "--deadline",
        type=_seconds,
        default=limits.HOST_DEADLINE,
        metavar="S",
        help=f"seconds for everything on one host (default {limits.HOST_DEADLINE:g})",
    )
    add(
        "--transport",
        choices=("auto", "paramiko", "openssh"),
        default="auto",
        help="who speaks SSH (default auto: paramiko, which is faster, or OpenSSH's client where"
        " ssh_config or the server asks for what paramiko cannot do)",
    )
    add(
        "--host-key-policy",
        choices=("strict", "accept-new"),
        default="strict",
        help="accept-new records the keys of hosts never seen; a changed key is always an error",
    )
    add(
        "--known-hosts",
        action="append",
        default=[],
        metavar="FILE",
        help="known_hosts file instead of those that ssh_config names; repeatable",
    )
    # --ssh-config is pytest-testinfra's own option, and means the same here.
    add("--vault-password-file", metavar="FILE", help="for Ansible vaults")
    add(
        "--no-ansible-config",
        action="store_true",
        help="read no ansible.cfg and no ANSIBLE_* variables",
    )


def _shard(text: str) -> Shard:
    from ipvs_audit.model.shard import Shard  # noqa: PLC0415  # --help needs no pydantic

    try:
        return Shard.parse(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _at_least(least: int, most: int | None = None) -> Callable[[str], int]:
    """A type for options that take a whole number, so many or more, and no more than ``most``."""
    wanted = f"{least} or more" if most is None else f"{least} to {most}"

    def whole(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if least <= number <= (most or number):
            return number
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {wanted}")

    return whole
