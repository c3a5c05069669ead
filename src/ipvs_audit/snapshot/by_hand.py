"""How to look by hand, as root on the host, at what a section of the evidence shows.

The probe's own commands make one script, whose sections are shown as it printed them. These
commands show the same facts to whoever wants to see them without it: one line each, for any sh.

>>> by_hand("cmdline")
'cat /proc/cmdline'
"""

from __future__ import annotations

_DIRECTORIES = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
#: Not again what /usr/lib has, where /lib is the same.
_ONCE = '[ "/usr${f%/*}" -ef "${f%/*}" ]'
#: Of a link: where it leads, also to nothing. Of a file: name, octal mode, owner, group and size;
#: digest; the lines that count, numbered.
_LINK = '[ ! -L "$f" ] || echo "$f -> $(readlink -f "$f")"'
_FILE = 'stat -Lc \'%n 0%a %u %g %s\' "$f"; sha256sum "$f"; grep'


def by_hand(section: str) -> str:
    """The command for a section; empty where none shows it again, as of a measurement."""
    return _COMMANDS.get(section, "")


def _names(first: str, *patterns: str) -> str:
    return " ".join((first, *(f"{one}/{each}" for each in patterns for one in _DIRECTORIES)))


def _each(names: str, lines: str) -> str:
    about = f'{_LINK}; [ ! -f "$f" ] || {{ {_FILE} {lines} "$f"; }}'
    return f"for f in {names}; do {_ONCE} || {{ {about}; }}; done"


def _alike(first: str, folder: str, ending: str, *, files: str, lines: str) -> str:
    """Those of whose name one file matches: each may stand in the way of the others."""
    all_files = _names(first, f"{folder}/*{ending}")
    names = f"$(grep -lsE '{files}' {all_files} | sed 's|.*/||' | sort -u)"
    return f"for n in {names}; do {_each(_names('', f'{folder}/$n', first), lines)}; done"


def _no_comment(how: str, pattern: str) -> str:
    return f"{how} '^[[:space:]]*([^[:space:]#].*)?({pattern})'"


_SETTINGS = "-nvE '^[[:space:]]*([#;]|$)'"
_SYSCTL = _names("/etc/sysctl.conf", "sysctl.d/*.conf", "sysctl.d/.[!.]*.conf")  # procps reads both
_MODPROBE = _names("/etc/modprobe.conf", "modprobe.d/*.conf", "modprobe.d/*.alias")
_RULES = _names("", "udev/rules.d/*.rules")
#: The files that a hook of ip_vs gives to sysctl.
_NAMED = (
    f"$(grep -hsE '^[[:space:]]*install[[:space:]]+ip[_-]vs' {_MODPROBE} |"
    " grep -oE '/[A-Za-z0-9_.@+/-]+[.]conf')"
)
#: The words of hooks and of rules that run something of sysctl or ip_vs.
_WORDS = (
    "$(grep -hsE '^[[:space:]]*install.*(ip[_-]vs|sysctl)|RUN.*(ip[_-]vs|sysctl)|"
    f"(ip[_-]vs|sysctl).*RUN' {_MODPROBE} {_RULES} |"
    " tr -c 'A-Za-z0-9_.@+:/=-' '\\n' | grep '^[A-Za-z0-9_/.]' | sort -u)"
)
_UNIT_DIRECTORIES = (
    "/etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system"
    " /usr/lib/systemd/system /lib/systemd/system"
)
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
    "sysctl": _each(_SYSCTL, _SETTINGS),
    "sysctl-named": _each(_NAMED, _SETTINGS),
    "modprobe": _each(_MODPROBE, _no_comment("-niE", "ip[_-]vs|sysctl|install|[*?[]")),
    "udev": _alike(
        *("", "udev/rules.d", ".rules"),
        files="ip[_-]?vs|sysctl|SYSCTL|run_estimation",
        lines=_no_comment("-nE", "ip[_-]?vs|sysctl|SYSCTL|run_estimation|GOTO|LABEL"),
    ),
    "modules-load": _alike(
        *("/etc/modules", "modules-load.d", ".conf"),
        files="ip[_-]?vs",
        lines=_no_comment("-nE", "ip[_-]?vs"),
    ),
    "running-values": (
        f"for f in {_SYSCTL} {_NAMED}; do {_ONCE} || grep -snE '^[^#;]+=' \"$f\" |"
        " while IFS= read -r l; do k=${l#*:}; k=${k%%=*}; k=$(echo $k); k=$(echo ${k#-});"
        ' echo "$f:$l; running: $(sysctl -n $k)"; done; done'
    ),
    "cmdline": "cat /proc/cmdline",
    "loaders": (
        "cat /proc/1/comm; systemctl --version; sysctl --version; modprobe --version; ls -lL"
        " /usr/lib/systemd/systemd-sysctl /usr/lib/systemd/systemd-modules-load; ls -l"
        " /etc/systemd/system; cat /proc/sys/kernel/modules_disabled"
    ),
    "programs": (
        "for w in /bin/sh /sbin/modprobe /usr/sbin/modprobe /sbin/sysctl /usr/sbin/sysctl"
        f' {_WORDS}; do for d in "" /sbin/ /bin/ /usr/sbin/ /usr/bin/ /usr/local/sbin/'
        ' /usr/local/bin/; do case "$d$w" in *//*) ;; /*) [ ! -e "$d$w" ] ||'
        ' ls -ldiL "$d$w" ;; esac; done; done;'
        " readlink -f /bin/sh; cat /proc/sys/kernel/modprobe;"
        " grep -lsxE 'kube-proxy|kube-router|keepalived' /proc/[0-9]*/comm |"
        " sed 's|comm$|root|' | xargs -r ls -ld"
    ),
    "asked": (
        "modprobe --show-depends ip_vs; sysctl --dry-run --system; sysctl --dry-run -p;"
        " /usr/lib/systemd/systemd-sysctl --cat-config"
    ),
    "next-boot": (
        "cat /boot/grub*/grubenv /boot/grub*/grub.cfg /boot/loader/entries/*.conf"
        f" /sys/kernel/kexec_loaded; {_MODULE} /lib/modules/*/modules.dep"
    ),
    "late-writers": (
        f"for d in {_UNIT_DIRECTORIES}; do for n in systemd-sysctl systemd-modules-load; do"
        " grep -snHE '^[^#;]' $d/$n.service $d/$n.service.d/*.conf;"
        " ls -l $d/*.wants/$n.service 2>/dev/null; done; done;"
        " grep -rsnE 'run_estimation|sysctl|ip[_-]vs' /etc/systemd /run/systemd/system"
        " /usr/lib/systemd/system /etc/cron* /var/spool/cron /etc/rc.local /etc/rc.d/rc.local"
        " /etc/init.d /etc/tuned /etc/NetworkManager /etc/tmpfiles.d;"
        " find /etc /usr/local /opt /srv /root -maxdepth 5 -xdev -type f -size -256"
        " -exec grep -snHIE 'run_estimation|ipv4[./]vs' {} +"
    ),
    "stats.0": _STATISTICS,
    "stats.2": _STATISTICS,
    "counters": (
        f"for i in 1 2 3; do {_STATISTICS}; sleep 3; done"
        "  # in another namespace: nsenter --net=/proc/PID/ns/net"
    ),
}
