"""How to look by hand, as root on the host, at what a section of the evidence shows.

The probe's own commands make one script, whose sections are shown as it printed them. These
commands show the same facts to whoever wants to see them without it: one line each, for any sh.

>>> by_hand("cmdline")
'cat /proc/cmdline'
"""

from __future__ import annotations

_DIRECTORIES = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
#: Of a file: name, octal mode, owner, group and size; digest; the lines that count, numbered.
_ABOUT = 'stat -Lc \'%n 0%a %u %g %s\' "$f"; sha256sum "$f"; grep {lines} "$f"'


def by_hand(section: str) -> str:
    """The command for a section; empty where none shows it again, as of a measurement."""
    return _COMMANDS.get(section, "")


def _files(first: str, pattern: str, lines: str) -> str:
    names = " ".join((first, *(f"{one}/{pattern}" for one in _DIRECTORIES)))
    return _each(names, lines)


def _each(names: str, lines: str) -> str:
    return f'for f in {names}; do [ ! -f "$f" ] || {{ {_ABOUT.format(lines=lines)}; }}; done'


_SETTINGS = "-nvE '^[[:space:]]*([#;]|$)'"
#: The line of ip_vs itself, without the modules that need it.
_MODULE = "grep -oE '^[^ :]*/ip_vs[.]ko[^ :]*'"
_STATISTICS = "cat /proc/net/ip_vs_stats /proc/net/ip_vs_stats_percpu"
_COMMANDS = {
    "host": (
        "uname -rmn; cat /etc/machine-id /proc/sys/kernel/random/boot_id /proc/uptime"
        " /sys/devices/system/cpu/possible; date -u +%s;"
        " grep -E '^(PRETTY_NAME|ID|ID_LIKE|VERSION_ID|PLATFORM_ID)=' /etc/os-release"
    ),
    "module": (
        "cat /sys/module/ip_vs/initstate /sys/module/ip_vs/refcnt; ls -d /sys/module/ip_vs"
        " /proc/net/ip_vs /proc/sys/net/ipv4/vs;"
        f' {_MODULE} "/lib/modules/$(uname -r)/modules.dep"'
        ' "/lib/modules/$(uname -r)/modules.builtin";'
        " ps -eo comm | grep '^ipvs-e:'"
    ),
    "netns": (
        'for n in /proc/1/ns/net /proc/[0-9]*/ns/net /run/netns/*; do i=$(stat -Lc %i "$n") ||'
        ' continue; case " $seen " in *" $i "*) continue ;; esac; seen="$seen $i"; echo'
        ' "netns $i"; nsenter --net="$n" sh -c \'cat /proc/sys/net/ipv4/vs/run_estimation;'
        ' grep -cE "^(TCP|UDP|SCTP|FWM)" /proc/net/ip_vs\'; done'
    ),
    "sysctl": _files("/etc/sysctl.conf", "sysctl.d/*.conf", _SETTINGS),
    "sysctl-named": _each(
        "$(cat /etc/modprobe.d/*.conf /run/modprobe.d/*.conf /usr/lib/modprobe.d/*.conf"
        " /lib/modprobe.d/*.conf | grep -E '^[[:space:]]*install[[:space:]]+ip[_-]vs' |"
        " grep -oE '/[A-Za-z0-9_.@+/-]+[.]conf')",
        _SETTINGS,
    ),
    "modprobe": _files(
        "/etc/modprobe.conf", "modprobe.d/*.conf", "-niE 'ip[_-]vs|sysctl|install|[*?[]'"
    ),
    "udev": _files(
        "", "udev/rules.d/*.rules", "-nE 'ip[_-]?vs|sysctl|SYSCTL|run_estimation|GOTO|LABEL'"
    ),
    "modules-load": _files("/etc/modules", "modules-load.d/*.conf", "-nE 'ip[_-]?vs'"),
    "running-values": "sysctl -a",
    "cmdline": "cat /proc/cmdline",
    "loaders": (
        "cat /proc/1/comm; systemctl --version; sysctl --version; modprobe --version; ls -lL"
        " /usr/lib/systemd/systemd-sysctl /usr/lib/systemd/systemd-modules-load; ls -l"
        " /etc/systemd/system; cat /proc/sys/kernel/modules_disabled"
    ),
    "programs": "ls -lL /bin/sh /sbin/modprobe /sbin/sysctl; cat /proc/sys/kernel/modprobe",
    "asked": (
        "modprobe --show-depends ip_vs; sysctl --dry-run --system; sysctl --dry-run -p;"
        " /usr/lib/systemd/systemd-sysctl --cat-config"
    ),
    "next-boot": (
        "cat /boot/grub*/grubenv /boot/grub*/grub.cfg /boot/loader/entries/*.conf"
        f" /sys/kernel/kexec_loaded; {_MODULE} /lib/modules/*/modules.dep"
    ),
    "late-writers": (
        "grep -rnE 'run_estimation|sysctl' /etc/systemd /run/systemd /usr/lib/systemd/system"
        " /etc/cron* /var/spool/cron /etc/rc.local /etc/init.d; ls -l /etc/systemd/system/*.wants"
    ),
    "stats.0": _STATISTICS,
    "stats.2": _STATISTICS,
    "counters": (
        f"for i in 1 2 3; do {_STATISTICS}; sleep 3; done"
        "  # in another namespace: nsenter --net=/proc/PID/ns/net"
    ),
}
