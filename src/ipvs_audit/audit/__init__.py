"""One run: who is audited, collecting, judging, comparing, resuming, merging, judging again.

Knows nothing of pytest, and nothing of how a report looks.

For others: ``session.AuditSession``, ``options.Options``, ``collecting``, ``resume``, ``baseline``,
``merge``, ``rejudge``, ``verify``.
"""
