"""What systemd-tmpfiles writes at a boot: the key, or the files that decide it.

Source: tmpfiles.d(5): ``w`` writes its argument to files that exist, by a glob.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ipvs_audit.persistence.late_writers.commands import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.boot_files import BootFile

_FIELDS_BEFORE_ARGUMENT = 6
_AGE = 5
_CLEANS = "dDevqQ"  # directories from which old files are removed, where an age is given
_KEEPS = "xXdDvqQzZtThHaAm"


def tmpfiles_writers(config: HostConfig, file: BootFile) -> Iterator[Writer]:
    """What the lines of a file in tmpfiles.d may do to the key."""
    for line in file.lines:
        fields = line.text.split(None, _FIELDS_BEFORE_ARGUMENT)
        if len(fields) < 2:  # noqa: PLR2004 (a type and a path)
            continue
        where, kind = f"{file.path}:{line.number}", fields[0][0]
        if fields[1].startswith("/proc/sys/"):
            if not fnmatchcase(f"/proc/sys/{config.key.path}", fields[1].strip("\"'")):
                continue
            text = fields[-1] if len(fields) > _FIELDS_BEFORE_ARGUMENT else ""
            stores = config.key.stores(text.replace("\\n", "")) if kind in "wf" else None
            values = () if stores is None else (stores,)
            yield Writer(where, line.text, values, at_boot=True)
        elif kind not in _KEEPS or (len(fields) > _AGE and fields[_AGE] != "-" and kind in _CLEANS):
            yield Writer(where, line.text, (), at_boot=True)
