"""Units that load ip_vs where its hook cannot set the key: in a sandbox of systemd.exec(5).

modprobe runs the hook as its own child: in another network namespace it writes another value, and
where ``/proc/sys`` is read-only it writes none. keepalived and ipvsadm start modprobe themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.persistence.late_writers.script_places import UNIT

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.boot_files import BootFile

_LOADS = re.compile(
    r"Exec\w*[ \t]*=.*((modprobe|insmod).*\bip[_-]vs|ipvsadm"
    r"|/(keepalived|kube-proxy|kube-router|ldirectord|k3s|rke2)\b)"
)
_ON = r"[ \t]*=[ \t]*(?:yes|true|on|1)\b"
_CONFINES = re.compile(
    rf"(?:ProtectKernelTunables|PrivateNetwork){_ON}.*"
    r"|PrivateUsers[ \t]*=[ \t]*(?!no|false|off|0)\w.*"
    r"|(?:NetworkNamespacePath|RootDirectory|RootImage|ReadOnly\w+|Inaccessible\w+|ProcSubset"
    r"|TemporaryFileSystem|Bind(?:ReadOnly)?Paths)[ \t]*=[ \t]*[^ \t].*"
    r"|Environment[ \t]*=.*MODPROBE_OPTIONS.*"
)


def confined_load(config: HostConfig, file: BootFile, name: str) -> tuple[str, str] | None:
    """Where a unit that loads ip_vs confines what it starts: the place and the line, or None.

    Args:
        config: the host.
        file: the unit's file, or a drop-in, that loads ip_vs.
        name: the unit.
    """
    if not any(_LOADS.match(line.text.strip()) for line in file.lines):
        return None
    for other in config.boot_files.files.values():
        unit = UNIT.search(other.path)
        if unit is None or unit[1] != name:
            continue
        for line in other.lines:
            if _CONFINES.fullmatch(line.text.strip()):
                return f"{other.path}:{line.number}", line.text.strip()
    return None
