"""What makes a function a control, and judges it.

A check is found (``discovery``), described by its decorator (``control``) and judged on one host's
evidence. Nothing here contacts a host or knows of pytest.

For others: ``control.control``, ``control.Assessment``, ``control.judge``,
``discovery.find_checks``, ``judged_namespaces``.
"""
