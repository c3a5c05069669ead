"""Whether a value persists: what each loader would set, and what a reload and a boot leave.

Pure functions over a :class:`~ipvs_audit.snapshot.config_files.ConfigTree`. The way of the data::

    lines -> settings -> resolution (which line wins, per loader)
    modprobe.d -> hook -> shell reading -> effect
    both -> two answers: after a reload, after a boot
"""
