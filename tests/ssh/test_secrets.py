"""Secrets stay where they belong: in no message, log, traceback, representation or argument."""

from __future__ import annotations

import logging
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openssh import Server, Start, free_port, keygen
from pydantic import SecretStr

from ipvs_audit.model.target import Become, Target
from ipvs_audit.probe.collector import collect
from ipvs_audit.snapshot import Failure
from ipvs_audit.transport import Limits, TransportError
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from ipvs_audit.transport.settings import Settings

LOGIN = "distinctive-login-secret"
SUDO = "distinctive-sudo-secret"

ECHO = (
    'ForceCommand cat; echo "you said distinctive-login-secret distinctive-sudo-secret" >&2; exit 1'
)


def targets(server: Server, tmp_path: Path) -> list[Target]:
    """Every way to fail that comes near a secret."""
    become = Become(password=SecretStr(SUDO))
    target = server.target(password=SecretStr(LOGIN), become=become)
    return [
        target,
        replace(target, name="no-sudo"),
        replace(target, name="stranger", user="nobody-of-that-name", key_file=None),
        replace(target, name="refused", port=free_port()),
        replace(target, name="wrong-key", key_file=str(keygen(tmp_path / "other")), user="nobody"),
        replace(target, name="bad-args", ssh_args="-o NoSuchThing=1"),
        replace(target, name="docker", connection="docker"),
        replace(target, name="local", connection="local"),
    ]


def test_no_secret_in_any_failure_log_or_representation(
    start: Start,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    seen, failures = [], 0
    with start("PasswordAuthentication yes") as plain, start(ECHO) as forced:
        for server in (plain, forced):
            known = replace(server.settings, limits=Limits(connect=5, deadline=2))
            for evidence in collect(
                _made(server, tmp_path),
                settings=known,
                open_connection=open_connection,
            ):
                failures += isinstance(evidence, Failure)
                seen.append(repr(evidence))
            for target in _made(server, tmp_path):
                seen.extend((repr(target), str(target)))
                seen.append(_attempt(target, known))
    seen.append(caplog.text)
    seen.extend(capfd.readouterr())
    everything = "\n".join(seen)
    assert failures >= 10
    assert LOGIN not in everything
    assert SUDO not in everything


def _attempt(target: Target, settings: Settings) -> str:
    """What a connection shows of itself, or the traceback of its failure."""
    try:
        connection = open_connection(target, settings)
        shown = repr(vars(connection))
        connection.run_script(b"exit 0", timeout=1, max_output=1000)
    except TransportError:
        return traceback.format_exc()
    connection.close()
    return shown


def _made(server: Server, tmp_path: Path) -> Any:
    folder = tmp_path / f"{server.port}-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    return targets(server, folder)
