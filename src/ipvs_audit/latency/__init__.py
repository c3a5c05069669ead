"""Round trips to a host: measured, kept raw, and asked whether the estimator is in them.

Measuring opens connections; analysis is pure. The raw forms are parsed in
:mod:`ipvs_audit.snapshot`.

For others: ``measure_hosts.measure_all``, ``results.latency_of``, ``analysis.analyse``,
``options``.
"""
