"""pytest's side of the audit: options, hooks, fixtures, outcomes, the fast runner, pytest-html.

All that knows of pytest is here. It judges nothing: that is :mod:`ipvs_audit.controls`. It
connects only for checks that ask for ``host``; :mod:`ipvs_audit.audit` collects.

For others: ``hooks`` (the plugin, by name: ``-p ipvs_audit.plugin.hooks``).
"""
