"""Where hosts are collected: here, or on the workers of a Dask cluster near them.

A job that a worker takes with it when it is lost is given to another one by Dask's scheduler. Jobs
carry the secrets of their hosts, so they travel by TLS, or not beyond this machine.
"""

from __future__ import annotations

import ipaddress
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ipvs_audit import __version__
from ipvs_audit.model import limits
from ipvs_audit.model.usage_error import UsageError
from ipvs_audit.probe import script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor

    from distributed import Client

    from ipvs_audit.model.target import Target

#: Our names for Dask's: ``dask://HOST:PORT`` is plain TCP, ``dask+tls://HOST:PORT`` is TLS.
_SCHEMES = {"dask": "tcp", "dask+tls": "tls"}


class EngineError(UsageError):
    """An engine that cannot be used; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Where hosts are collected.

    Attributes:
        executor: runs the collecting; None does it here.
        forks: hosts that it has room for at a time.
        overrun: seconds beyond a host's deadline after which it is given up; None for the usual.
        note: what the user should know of it.
    """

    executor: Executor | None
    forks: int
    overrun: float | None = None
    note: str = ""


def dask_address(engine: str) -> str:
    """The scheduler's address as Dask writes it.

    Raises:
        EngineError: it is none.

    >>> dask_address("dask://10.0.0.5:8786"), dask_address("dask+tls://scheduler:8786")
    ('tcp://10.0.0.5:8786', 'tls://scheduler:8786')
    """
    try:
        parts = urlsplit(engine)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None or parts.scheme not in _SCHEMES or parts.path or parts.username:
        raise EngineError(
            f"--engine {engine}: is not an engine; give dask://HOST:PORT or dask+tls://HOST:PORT"
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{_SCHEMES[parts.scheme]}://{shown}:{port}"


def refuse_plain_secrets(engine: str, targets: Sequence[Target]) -> None:
    """Refuse to send passwords in the clear to another machine.

    Raises:
        EngineError: some target has one, and the scheduler is elsewhere and without TLS.
    """
    address = dask_address(engine)
    host = urlsplit(address).hostname or ""
    if address.startswith("tls:") or _is_loopback(host):
        return
    holding = [target.name for target in targets if _has_secret(target)]
    if holding:
        raise EngineError(
            f"--engine {engine}: the inventory has passwords ({len(holding):,} hosts, {holding[0]}"
            " first), which plain TCP would carry in the clear; use dask+tls:// (see"
            " docs/scale.md), keys on the workers, or --engine-plain-secrets if the network is"
            " trusted"
        )


def _has_secret(target: Target) -> bool:
    return target.password is not None or (
        target.become is not None and target.become.password is not None
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def engine(asked: str | None, forks: int, deadline: float) -> Iterator[Engine]:
    """The engine that ``--engine`` names; without one, this process.

    Args:
        asked: ``dask://HOST:PORT`` or ``dask+tls://HOST:PORT``.
        forks: hosts at a time, at most.
        deadline: seconds that a host may take.

    Raises:
        EngineError: Dask is not installed, the scheduler does not answer, has no worker, or one of
            another version.
    """
    if asked is None:
        yield Engine(None, forks)
        return
    address = dask_address(asked)
    try:
        from distributed import Client  # noqa: PLC0415  # an extra, and slow to import
    except ImportError:
        raise EngineError(
            f"--engine {asked}: Dask is not installed; pip install 'ipvs-audit[dask]'"
        ) from None
    try:
        client = Client(address, timeout=limits.ENGINE_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError) as wrong:
        raise EngineError(
            f"--engine {asked}: the scheduler cannot be reached: {wrong}; for dask+tls://, see"
            " distributed.comm.tls in Dask's configuration"
        ) from None
    with client:
        threads = _workers(client, asked)
        room = min(forks, sum(threads.values()))
        yield Engine(
            client.get_executor(pure=False),
            room,
            overrun=2 * deadline + limits.ENGINE_OVERRUN,
            note=f"Collected by {len(threads):,} Dask workers, {room:,} hosts at a time ({asked}).",
        )


def version() -> str:
    """The suite's version and its probe's; a worker imports the suite to say so."""
    return f"{__version__} (probe {script.digest()})"


def _workers(client: Client, asked: str) -> dict[str, int]:
    """Threads by worker; all of them have this version of the suite."""
    try:
        client.wait_for_workers(1, timeout=limits.ENGINE_TIMEOUT)
        versions = client.run(version)
    except TimeoutError:
        raise EngineError(
            f"--engine {asked}: has no worker; start some with: dask worker ADDRESS --nthreads 64"
        ) from None
    except Exception as wrong:  # noqa: BLE001  # whatever the import there raised
        raise EngineError(
            f"--engine {asked}: a worker cannot run ipvs-audit ({type(wrong).__name__}: {wrong});"
            " install the same version of it there"
        ) from None
    for worker, found in versions.items():
        if found != version():
            raise EngineError(
                f"--engine {asked}: {worker} has ipvs-audit {found}, here it is {version()};"
                " install the same version there"
            )
    return {name: int(threads) for name, threads in client.nthreads().items()}
