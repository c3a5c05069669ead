"""Whether a value persists: what each loader sets, and the value after a reload and after a boot.

Pure functions over a :class:`~ipvs_audit.snapshot.config_files.ConfigTree`; only ``tree_on_disk``
reads files: a tree on disk in place of a snapshot. Nothing here runs a program. The way of the
data::

    settings (of the snapshot) -> resolution (which line wins, for each loader) -> persisted_value
    an install line, udev/ -> shell/ (words, pipes) -> hook/ (what each command does) -> prediction
    late_writers/, next_boot -> reload, boot
    all of them -> policy_verdicts (EST-2, EST-3), explanation

For others: ``host_config``, ``policy_verdicts``, ``persisted_value``, ``reload``, ``boot``,
``explanation``, ``tree_on_disk.tree``, ``tree_on_disk.loaders``.
"""
