"""Hands pytest to the plugin, nothing more."""

pytest_plugins = ["ipvs_audit.plugin.hooks"]
