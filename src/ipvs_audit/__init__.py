"""Proves, fleet-wide, that Linux IPVS estimation is off (or on, where the policy says so)."""

from importlib.metadata import version

__version__ = version("ipvs-audit")
