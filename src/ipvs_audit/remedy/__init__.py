"""From a snapshot to a plan, from a plan to a changed host, and back.

``plan`` and all that it imports is pure. ``run_script`` changes one host, ``remediate_host`` also
verifies and reverts it, ``rollout`` and ``rollback`` do that for many; ``journal`` keeps on disk
what was done before the next step. Nothing here knows of pytest.

For others: ``remediation.Remediation``, ``run_results``, ``host_access``, ``options``,
``journal.JournalError``.
"""
