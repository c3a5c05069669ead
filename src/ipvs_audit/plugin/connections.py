"""The connections that checks use: kept from collecting, or opened when a check asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from testinfra.host import Host

    from ipvs_audit.model.target import Target
    from ipvs_audit.transport import Connection
    from ipvs_audit.transport.settings import Settings


class CheckConnections:
    """The open connections of a run, by host."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._wanted: set[str] = set()
        self._hosts: dict[str, Host] = {}
        #: Connections by the host's name; latency is measured over them too.
        self.open: dict[str, Connection] = {}

    @property
    def kept(self) -> int:
        """How many will be kept."""
        return len(self._wanted)

    def keep_for(self, host: str) -> None:
        """A check uses this host itself: keep the connection that collects it."""
        self._wanted.add(host)

    def keep(self, target: Target, connection: Connection) -> bool:
        """Take over the connection that collected a host; false where no check needs it."""
        if target.name not in self._wanted:
            return False
        self.open[target.name] = connection
        return True

    def host(self, target: Target) -> Host:
        """A testinfra host over the kept connection, or over a new one.

        Raises:
            TransportError: no connection can be opened.
        """
        from ipvs_audit.transport.testinfra_host import host_for  # noqa: PLC0415  # few checks ask

        if target.name not in self._hosts:
            if target.name not in self.open:
                self.open[target.name] = open_connection(target, self._settings)
            self._hosts[target.name] = host_for(target, self.open[target.name])
        return self._hosts[target.name]

    def close(self) -> None:
        """Close them all."""
        for connection in self.open.values():
            connection.close()
