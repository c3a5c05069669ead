"""What ipvs-audit adds to pytest's command line, and the values it leaves behind."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.audit.options import DEFAULT_INVENTORY, DEFAULT_POLICY, Options
from ipvs_audit.latency.options import LatencyOptions, add_latency_options
from ipvs_audit.model.shard import Shard
from ipvs_audit.remedy.options import RemedyOptions, add_remedy_options
from ipvs_audit.report.options import Outputs, add_output_options

if TYPE_CHECKING:
    import pytest


def add_options(parser: pytest.Parser) -> None:
    """Declare the options, in the order in which a user meets them."""
    group = parser.getgroup("ipvs-audit", "IPVS estimation audit (--strict: inconclusive fails)")
    group.addoption(
        "--inventory",
        action="append",
        default=[],
        metavar="PATH",
        help=f"Ansible inventory to audit; repeatable (default: {DEFAULT_INVENTORY}, this machine)",
    )
    group.addoption("--limit", metavar="PATTERN", help="Ansible host pattern, e.g. 'ipvs:&eu:!old'")
    group.addoption(
        "--shard",
        type=_shard,
        metavar="K/N",
        help="only the K-th of N parts of the hosts, which their names decide: for N audits that"
        " 'python -m ipvs_audit merge' puts together",
    )
    group.addoption("--policy", metavar="FILE", help=f"what to demand (default: {DEFAULT_POLICY})")
    group.addoption(
        "--estimation",
        choices=("disabled", "enabled"),
        help="turn the audit round: demand that estimation is disabled or enabled",
    )
    group.addoption(
        "--from-snapshots",
        metavar="PATH",
        help="judge the saved evidence of a run (its directory or snapshots.jsonl.gz), no host",
    )
    group.addoption(
        "--resume",
        metavar="RUN",
        help="take over the evidence of a run that was interrupted or killed, collect the rest",
    )
    group.addoption(
        "--reports", metavar="DIR", help="where runs land (default: reports, in the checkout)"
    )
    group.addoption(
        "--forks",
        type=int,
        default=64,
        metavar="N",
        help="hosts connected to at a time (default 64); eight times as many may be under way",
    )
    group.addoption(
        "--engine",
        metavar="dask://HOST:PORT",
        help="collect on the workers of a Dask cluster (dask+tls:// by TLS) instead of here",
    )
    group.addoption(
        "--engine-plain-secrets",
        action="store_true",
        help="let passwords of hosts travel to the engine in the clear",
    )
    group.addoption(
        "--connect-timeout",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds to connect, agree on keys and log in (default 10)",
    )
    group.addoption(
        "--deadline",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds for everything on one host (default 60)",
    )
    group.addoption(
        "--host-key-policy",
        choices=("strict", "accept-new"),
        default="strict",
        help="accept-new records the keys of hosts never seen; a changed key is always an error",
    )
    group.addoption(
        "--known-hosts",
        action="append",
        default=[],
        metavar="FILE",
        help="known_hosts file instead of those that ssh_config names; repeatable",
    )
    # --ssh-config is pytest-testinfra's own option, and means the same here.
    group.addoption("--vault-password-file", metavar="FILE", help="for Ansible vaults")
    group.addoption(
        "--waivers", metavar="FILE", help="accepted failures: who approved which, until when"
    )
    group.addoption(
        "--waiver-warning-days",
        type=int,
        default=14,
        metavar="N",
        help="list waivers that end within N days (default 14)",
    )
    group.addoption(
        "--baseline", metavar="RUN", help="compare with an earlier run: its directory, or latest"
    )
    add_latency_options(group.addoption)
    add_output_options(group.addoption)
    add_remedy_options(group.addoption)


def read_options(config: pytest.Config) -> Options:
    """Read the options, with the defaults that depend on where the checkout lies."""
    root = config.rootpath
    get = config.getoption

    def path(name: str) -> Path | None:
        value = get(name)
        return Path(value).expanduser() if value else None

    policy = path("policy")
    if policy is None and (root / DEFAULT_POLICY).exists():
        policy = root / DEFAULT_POLICY
    return Options(
        root=root,
        inventory=tuple(get("inventory")),
        limit=get("limit"),
        shard=get("shard"),
        policy=policy,
        estimation=get("estimation"),
        snapshots=path("from_snapshots"),
        resume=path("resume"),
        reports=path("reports") or root / "reports",
        strict=bool(config.getini("strict")),
        forks=get("forks"),
        engine=get("engine"),
        engine_plain_secrets=get("engine_plain_secrets"),
        connect_timeout=get("connect_timeout"),
        deadline=get("deadline"),
        host_key_policy=get("host_key_policy"),
        known_hosts=tuple(Path(value).expanduser() for value in get("known_hosts")),
        ssh_config=path("ssh_config"),
        vault_password_file=path("vault_password_file"),
        waivers=path("waivers"),
        waiver_warning_days=get("waiver_warning_days"),
        baseline=path("baseline"),
        outputs=Outputs.chosen(get("format"), get("junit_split"), path("sign")),
        remedy=RemedyOptions.read(get),
        latency=LatencyOptions.read(get),
    )


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
