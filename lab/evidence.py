"""The evidence of a guest, by the probe itself, through the guest's own ssh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.probe import framing, script
from ipvs_audit.snapshot import CollectionInfo, Snapshot

if TYPE_CHECKING:
    from lab.guest import Guest


def collected(guest: Guest) -> Snapshot:
    """What the probe brings from a guest, as root.

    Raises:
        GuestError: it took too long, or failed.
    """
    nonce = script.new_nonce()
    ran = guest.ssh("sh -s", stdin=script.render(nonce), timeout=120)
    sections = framing.parse(ran.stdout.encode(), nonce, stderr=b"")
    return Snapshot(guest.name, CollectionInfo("", "", "ssh", "", script.digest()), sections)
