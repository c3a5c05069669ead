"""What goes wrong with an inventory, said without a secret and without a traceback."""

from __future__ import annotations

from ipvs_audit.model.usage_error import UsageError


class InventoryError(UsageError):
    """An inventory that cannot be used; the message names the thing, the place, what to do."""


class HostError(InventoryError):
    """Variables of one host that cannot be used; the others can be audited."""
