"""From a snapshot to a plan, from a plan to a changed host, and back.

``plan`` and all that it imports is pure. ``script`` and ``apply`` change one host, ``rollout``
many; ``journal`` keeps on disk what was done before the next step. Nothing here knows of pytest.

For others: ``remediation.Remediation``, ``options.RemedyOptions``, ``journal.NAME``.
"""
