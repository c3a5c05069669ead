"""Whether a kernel tells udev of a module before the module's init has run.

Before "module: delay kobject uevent until after module init call" the event came first, so that a
udev rule may run before ip_vs has made its key. Source: commit 38dc717e9715 of Linux 5.11, in the
stable kernels 5.10.5 and 4.19.165 as well; others may have taken it over too.
"""

from __future__ import annotations

from ipvs_audit.snapshot.kernel import upstream_version

_SINCE = (5, 11)
_BACKPORTS: dict[tuple[int, ...], int] = {(5, 10): 5, (4, 19): 165}


def early_uevent(release: str) -> str:
    """Why a rule on the add event may run too early; empty where it does not, or for no release.

    >>> early_uevent("6.1.0-40-amd64")
    ''
    """
    if not release:
        return ""
    version = upstream_version(release)
    if version is not None:
        series, patch = version[:2], version[2] if len(version) > len(_SINCE) else 0
        if series >= _SINCE or patch >= _BACKPORTS.get(series, patch + 1):
            return ""
    return (
        f"kernel {release} may tell udev of ip_vs before ip_vs has made its key, and then the rule "
        "sets nothing"
    )
