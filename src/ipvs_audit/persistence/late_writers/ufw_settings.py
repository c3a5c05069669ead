"""The file of sysctl settings that ufw applies when it starts.

Source: ufw 0.36, ``ufw-init-functions``: it reads ``/etc/default/ufw`` and
``/etc/ufw/ufw.conf``, and runs ``sysctl -e -q -p $IPT_SYSCTL``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.boot_files import BootFile

_UFW_FILE = re.compile(r"/(lib|etc)/ufw/|/default/ufw$")
_USE = re.compile(r"[\"']?\$(?:IPT_SYSCTL\b|\{IPT_SYSCTL\})[\"']?")
_ASSIGNMENT = re.compile(r"(?:export\s+)?IPT_SYSCTL=([\"']?)(/[\w./+@-]+)\1\s*(?:#.*)?")


def with_ufw_settings(config: HostConfig, file: BootFile, text: str) -> tuple[str, ...]:
    """A line of ufw's scripts with the file that it gives to sysctl, once for each that it may be.

    Any other line, and one whose file is not known, stays as it is.
    """
    if not (_UFW_FILE.search(file.path) and _USE.search(text)):
        return (text,)
    files: dict[str, None] = {}
    for other in _mentions(config):
        found = _ASSIGNMENT.fullmatch(other)
        if found is None:
            return (text,)
        files[found[2]] = None
    return tuple(_USE.sub(path, text) for path in files) or (text,)


def _mentions(config: HostConfig) -> Iterator[str]:
    """The lines of ufw's files that may give the variable a value."""
    for file in config.boot_files.files.values():
        if _UFW_FILE.search(file.path):
            for line in file.lines:
                if "IPT_SYSCTL" in _USE.sub("", line.text):
                    yield line.text.strip()
