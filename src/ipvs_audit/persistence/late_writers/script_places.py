"""Which files something runs by their place, at a boot or later."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
    "/root/.config/",
    "/root/.profile",
    "/root/.z",
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
#: What is judged by itself, or read by people.
_OTHERS = re.compile(
    r"/etc/(?:sysctl\.|modprobe\.d/|modules-load\.d/|udev/|systemd/|initramfs-tools/|dracut|motd|issue"
    r"|sudoers|apparmor|audit)|/tuned/|/README[^/]*$",
    re.IGNORECASE,
)
#: What was put aside by a package manager or an editor, or is read by people.
_ASIDE = re.compile(
    r"(?:~|\.(?:bak|old|orig|save|sw[op]|md|txt|rst|sample|example|disabled|rpm\w+|dpkg-\w+|ucf-\w+))$",
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


def elsewhere(config: HostConfig, path: str) -> bool:
    """Whether a file may be some program's own script or configuration, by its place and name.

    Which program runs it and when is not known: at any time.
    """
    if _OTHERS.search(path) or never_started(config, path):
        return False
    return path in config.boot_files.called or not _ASIDE.search(path)


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
