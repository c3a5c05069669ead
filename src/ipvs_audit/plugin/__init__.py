"""pytest's side of the audit: options, hooks, fixtures, outcomes, the fast runner, pytest-html.

All that knows of pytest is here. It judges nothing and opens no connection itself: that is
:mod:`ipvs_audit.controls` and :mod:`ipvs_audit.audit`.

For others: ``hooks`` (the plugin, by name: ``-p ipvs_audit.plugin.hooks``).
"""
