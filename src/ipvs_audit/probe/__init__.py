"""The script that a host runs, the frames that it answers in, and the collector.

Read-only on the host, one round trip. It judges nothing, and a host that fails is a
:class:`~ipvs_audit.snapshot.Failure`, never an exception.

For others: ``collector.collect``, ``collect_host.collect_one``, ``script``, ``framing``.
"""
