"""Which files something runs by their place, at a boot or later, and which as others name them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.persistence.late_writers.unit_starts import concerns_many, starts_of

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

#: A unit's file, or a drop-in for it.
UNIT = re.compile(r"/systemd/(?!user/)[^/]+/((?:[^/]+\.)?(?:service|socket))(\.d/[^/]+)?$")
CRON = re.compile(r"/(crontab|anacrontab)$|/cron\.d/|/spool/cron/(?!atjobs/)")
_AT_ANY_TIME = [
    "/cron.hourly/",
    "/cron.daily/",
    "/cron.weekly/",
    "/cron.monthly/",
    "/dispatcher.d/",
    "/networkd-dispatcher/",
    "/etc/network/",
    "/etc/keepalived/",
    "/kubernetes/manifests/",
    "/spool/at/",
    "/atjobs/",
    "/etc/profile",
    "bashrc",
    "/root/.",
    "/etc/dhcp/",
    "/etc/ppp/",
    "/etc/wireguard/",
    "/etc/logrotate.d/",
    "/etc/apt/",
    "/libvirt/hooks/",
    "/ifup-local",
    "/system-generators/",
    "/system-sleep/",
    "/systemd/user/",
    "/spool/incron/",
    "/netfilter-persistent/plugins.d/",
    "dhcpcd-hooks/",
]
_AT_BOOT = "/tuned/ /ufw /cloud/ /etc/init.d/ /local.d/ /rc.modules".split()  # noqa: SIM905
_CREDENTIAL = re.compile(r"/(credstore|credentials/@system)/sysctl\.")
_RUN_PARTS = re.compile(r"/cron\.(?:d|hourly|daily|weekly|monthly)/([^/]+)$")
_RUN_PARTS_NAME = re.compile("[A-Za-z0-9_-]+")
_MOST_CALLERS = 5
#: What in /etc is judged by itself, is read by people, or was put aside by a package manager or an
#: editor.
_NOT_RUN = re.compile(
    r"/etc/(?:sysctl\.|modprobe\.d/|modules-load\.d/|udev/|systemd/|tuned/|initramfs-tools/|dracut|motd|issue|sudoers)"
    r"|/README[^/]*$|(?:~|\.(?:bak|old|orig|save|sw[op]|md|txt|rst|sample|example|disabled|rpm\w+|dpkg-\w+|ucf-\w+))$",
    re.IGNORECASE,
)


def at_boot_by_place(config: HostConfig, path: str) -> bool:
    """Whether a file's lines take effect at a boot: tuned's active profiles, ufw, cloud-init ..."""
    if not (_CREDENTIAL.search(path) or any(place in path for place in _AT_BOOT)):
        return False
    return "/tuned/" not in path or bool(set(path.split("/")) & set(config.boot_files.tuned))


def at_any_time_by_place(config: HostConfig, path: str) -> bool:
    """Whether a file may run at any time: cron's folders, dispatchers, logins, programs' hooks."""
    return any(place in path for place in _AT_ANY_TIME) and not never_started(config, path)


def elsewhere_in_etc(config: HostConfig, path: str) -> bool:
    """Whether a file of /etc may be some program's own script or configuration.

    Which program runs it and when is not known: at any time.
    """
    return (
        path.startswith("/etc/") and not _NOT_RUN.search(path) and not never_started(config, path)
    )


def seen_by_root(config: HostConfig) -> bool:
    """Whether root looked: only root sees by ``test -x`` whether root may execute a file."""
    return config.asked is not None and config.asked.root


def never_started(config: HostConfig, path: str) -> bool:
    """Whether cron, run-parts or a dispatcher passes a file over: by mode, on Debian by name.

    Source: run-parts(8), cron(8).
    """
    run_parts = _RUN_PARTS.search(path)
    if run_parts is None and "/dispatcher.d/" not in path:
        return False
    file = config.boot_files.files.get(path)
    if file is not None and not file.executable and "/cron.d/" not in path and seen_by_root(config):
        return True
    named = run_parts is None or _RUN_PARTS_NAME.fullmatch(run_parts[1]) is not None
    return config.loaders.os_id in ("debian", "ubuntu") and not named


def when_called(config: HostConfig, path: str) -> bool | None:
    """When a script runs that only others name: True at boot, False at any time, None never.

    Through up to five scripts that name each other.
    """
    callers, seen = {path}, {path}
    found: list[bool] = []
    for _ in range(_MOST_CALLERS):
        callers = {by for script, by in config.boot_files.called if script in callers} - seen
        seen |= callers
        found += [when for each in callers if (when := _when_by_place(config, each)) is not None]
    return all(found) if found else None


def _when_by_place(config: HostConfig, path: str) -> bool | None:
    if (unit := UNIT.search(path)) is not None:
        start = starts_of(config.boot_files, unit[1])
        runs = bool(start.targets) or concerns_many(unit[1])
        return False if start.at_any_time else True if runs else None
    if path.endswith(("/rc.local", ".modules")):
        return True
    if CRON.search(path) or at_any_time_by_place(config, path):
        return False
    if at_boot_by_place(config, path):
        return True
    # A udev rule runs programs on events, which come at any time.
    return False if elsewhere_in_etc(config, path) or "/udev/rules.d/" in path else None
