"""The values that the options leave behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipvs_audit.audit.options import DEFAULT_INVENTORY, DEFAULT_POLICY, Options
from ipvs_audit.latency.options import LatencyOptions
from ipvs_audit.model.shipped import shipped
from ipvs_audit.plugin.command import command_of
from ipvs_audit.remedy.options import RemediationOptions
from ipvs_audit.report.options import Outputs


def read_options(config: pytest.Config) -> Options:
    """Read the options, with the defaults that a checkout or the package has."""
    get = config.getoption
    command = command_of(config)
    checkout = None if command is not None and command.installed else config.rootpath

    def path(name: str) -> Path | None:
        value = get(name)
        return Path(value).expanduser() if value else None

    if (ssh_config := path("ssh_config")) is not None and not ssh_config.exists():
        raise pytest.UsageError(f"--ssh-config {ssh_config}: no such file")

    policy, localhost = path("policy"), shipped("inventories") / "localhost.yml"
    if checkout is not None:
        own = checkout / DEFAULT_POLICY
        policy = policy or (own if own.exists() else None)
        own = checkout / DEFAULT_INVENTORY
        localhost = own if own.exists() else localhost
    own = config.rootpath / "checks"
    return Options(
        localhost=localhost,
        checks=own if checkout is not None and own.is_dir() else shipped("checks"),
        inventory=tuple(get("inventory")),
        limit=get("limit"),
        shard=get("shard"),
        policy=policy,
        estimation=get("estimation"),
        max_age=get("max_age"),
        snapshots=path("from_snapshots"),
        resume=path("resume"),
        reports=path("reports") or (checkout or config.invocation_params.dir) / "reports",
        strict=bool(config.getini("strict")),
        forks=get("forks"),
        processes=get("processes"),
        engine=get("engine"),
        engine_plain_secrets=get("engine_plain_secrets"),
        connect_timeout=get("connect_timeout"),
        deadline=get("deadline"),
        host_key_policy=get("host_key_policy"),
        known_hosts=tuple(Path(value).expanduser() for value in get("known_hosts")),
        ssh_config=ssh_config,
        transport=get("transport"),
        vault_password_file=path("vault_password_file"),
        ansible_config=not get("no_ansible_config"),
        waivers=path("waivers"),
        waiver_warning_days=get("waiver_warning_days"),
        baseline=path("baseline"),
        outputs=Outputs.chosen(get("format"), get("junit_split"), path("sign"), get("report_mode")),
        remedy=RemediationOptions.read(get),
        latency=LatencyOptions.read(get),
    )
