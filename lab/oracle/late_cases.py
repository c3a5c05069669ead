# ruff: noqa: PLR2004  # the numbers here are weights
"""Late writers for real reboots: units, timers, rc.local, cron and the like that set the key.

Some set the right value and some the wrong one, before ip_vs is loaded, after it, or never: a unit
may be disabled, masked, confined, hidden by another or changed by a drop-in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab.oracle.cases import KEY
from lab.oracle.trial_case import EXECUTABLE

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from lab.oracle.trial_case import TrialCase

_FILE = f"/proc/sys/{KEY.replace('.', '/')}"
_UNITS = "etc/systemd/system"
_LOADS = (
    *("/sbin/modprobe ip_vs",) * 4,
    *("/usr/sbin/modprobe -q ip_vs", "/sbin/modprobe ip_vs_rr", "/sbin/modprobe -i ip_vs"),
    *("/sbin/modprobe ip-vs", "/sbin/modprobe no_such_module", "/sbin/modprobe -a ip_vs ip_vs_rr"),
)
_SETS = (
    *(f"/sbin/sysctl -w {KEY}={{}}",) * 4,
    *(f"/bin/sh -c 'echo {{}} > {_FILE}'", f"/usr/sbin/sysctl -qw {KEY}={{}}"),
    *("/sbin/sysctl -p", "/sbin/sysctl --system", "/lib/systemd/systemd-sysctl"),
    *(f"/bin/sh -c 'sleep 1; echo {{}} > {_FILE}'", f"/sbin/sysctl -e -w {KEY}={{}}"),
    *("/usr/local/sbin/oracle-late", "/sbin/sysctl -p /opt/oracle.conf"),
)
_TARGETS = (
    *("multi-user.target",) * 6,
    *("default.target", "graphical.target", "basic.target", "sysinit.target", "local-fs.target"),
    *("network.target", "network-online.target", "timers.target", "getty.target", "rescue.target"),
)
_OF_UNIT = (
    *("After=network.target", "After=systemd-modules-load.service", "Before=sysinit.target"),
    *("DefaultDependencies=no", "ConditionPathExists=/etc/none", "ConditionPathExists=/etc/passwd"),
    *("Requires=none.service", "Wants=none.service", "AssertPathExists=/etc/none", "; a comment"),
    *("Requisite=none.service", "ConditionVirtualization=no", "After=graphical.target"),
    *("After=multi-user.target", "After=default.target", "Before=systemd-sysctl.service"),
)
_OF_SERVICE = (
    *("RemainAfterExit=yes", "PrivateTmp=yes", "ProtectSystem=strict", "User=nobody", "Nice=5"),
    *("PrivateNetwork=yes", "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "UMask=0077"),
    *("CapabilityBoundingSet=~CAP_SYS_MODULE", "SystemCallFilter=~@module", "ProtectHome=yes"),
    *("ReadOnlyPaths=/proc/sys", "InaccessiblePaths=/sbin/sysctl", "ProcSubset=pid"),
    *("TimeoutStartSec=60", "Environment=MODPROBE_OPTIONS=--ignore-install", "StandardOutput=null"),
)
_DROP_INS = (
    *("[Service]\nExecStart=\n", "[Service]\nExecStart=\nExecStart=/bin/true\n"),
    *(f"[Service]\nExecStart=/sbin/sysctl -w {KEY}=1\n", "[Unit]\nConditionPathExists=/etc/none\n"),
    *("[Service]\nPrivateNetwork=yes\n", "[Unit]\nAfter=network.target\n", "[Unit]\n# nothing\n"),
    *("[Service]\nProtectKernelModules=yes\n", "[Service]\nType=simple\n"),
)


def add_late_writers(rng: random.Random, case: TrialCase) -> TrialCase:
    """The case with one or two late writers, half of the time with ip_vs loaded early.

    A file that starts with ``#!`` is executable, and so is one that starts with
    :data:`~lab.oracle.trial_case.EXECUTABLE` (see ``write_tree``).
    """
    case = replace(case, files=dict(case.files), links=dict(case.links))
    if rng.random() < 0.3:
        case.files["etc/modules-load.d/early.conf"] = "ip_vs\n"
    for name in ("late-a", "late-b")[: rng.choice((1, 1, 1, 2))]:
        rng.choice(_WRITERS)(rng, case, f"oracle-{name}")
    if any("/oracle-late\n" in text for text in case.files.values()):
        case.files["usr/local/sbin/oracle-late"] = _script(rng)
    if any("/opt/oracle.conf" in text for text in case.files.values()) and rng.random() < 0.8:
        case.files["opt/oracle.conf"] = f"{KEY} = {_number(rng)}\n"
    return case


def _number(rng: random.Random) -> str:
    return rng.choice("0001")


def _commands(rng: random.Random) -> list[str]:
    loads = [rng.choice(_LOADS)] if rng.random() < 0.8 else []
    sets = [rng.choice(_SETS).format(_number(rng)) for _ in range(rng.choice((0, 1, 1, 1, 2)))]
    return sets + loads if rng.random() < 0.1 else loads + sets


def _unit(rng: random.Random, case: TrialCase, name: str) -> None:
    folder = rng.choice((_UNITS,) * 5 + ("usr/lib/systemd/system",) * 3 + ("run/systemd/system",))
    path = f"{folder}/{name}.service"
    kind = rng.choice(("Type=oneshot",) * 8 + ("Type=simple", "Type=exec", "Type=idle", ""))
    about = [rng.choice(_OF_UNIT)] if rng.random() < 0.35 else []
    service = [kind, *([rng.choice(_OF_SERVICE)] if rng.random() < 0.35 else [])]
    for command in _commands(rng):
        word = "ExecStartPre" if rng.random() < 0.1 else "ExecStart"
        word = "ExecStartPost" if rng.random() < 0.05 else word
        prefix = rng.choice(("", "", "", "", "", "-", "+", "!"))
        service.append(f"{word}={prefix}{command}")
    if "ExecStart=" not in "\n".join(service):
        service.append("ExecStart=/bin/true")
    text = ["[Unit]", f"Description={name}", *about, "[Service]", *filter(None, service)]
    case.files[path] = "\n".join(text) + "\n"
    if rng.random() < 0.9:
        target = rng.choice(_TARGETS)
        where = rng.choice((_UNITS,) * 9 + ("run/systemd/system",))
        case.links[f"{where}/{target}.wants/{name}.service"] = f"/{path}"
    _change(rng, case, path, name)


def _change(rng: random.Random, case: TrialCase, path: str, name: str) -> None:
    """Sometimes hide the unit, or change it by a drop-in, or change what boots."""
    kind = rng.random()
    folder = rng.choice(
        (f"{name}.service.d", f"{name}.service.d", "service.d", "oracle-.service.d")
    )
    if kind < 0.12:
        case.files[f"{_UNITS}/{folder}/x.conf"] = rng.choice(_DROP_INS)
    elif kind < 0.2 and path.startswith("usr/lib/"):
        case.links[f"{_UNITS}/{name}.service"] = "/dev/null"
    elif kind < 0.25 and path.startswith("usr/lib/"):
        hidden = "[Service]\nType=oneshot\nExecStart=/bin/true\n"
        case.files[f"{_UNITS}/{name}.service"] = hidden
    elif kind < 0.3:
        default = rng.choice(("multi-user", "graphical"))
        case.links[f"{_UNITS}/default.target"] = f"/usr/lib/systemd/system/{default}.target"


def _timer(rng: random.Random, case: TrialCase, name: str) -> None:
    _unit(rng, case, name)
    when = rng.choice(("OnBootSec=1", "OnActiveSec=1", "OnCalendar=daily", "OnBootSec=1h"))
    case.files[f"{_UNITS}/{name}.timer"] = f"[Timer]\n{when}\nAccuracySec=1\n"
    if rng.random() < 0.8:
        case.links[f"{_UNITS}/timers.target.wants/{name}.timer"] = f"/{_UNITS}/{name}.timer"


def _script(rng: random.Random) -> str:
    first = rng.choice(("#!/bin/sh", "#!/bin/sh", "#!/bin/sh -e", "#!/bin/bash", "#! /bin/sh"))
    join = rng.choice(("\n", "\n", " && ", "; "))
    last = rng.choice(("", "exit 0\n", "true\n", "touch /var/lock/subsys/local\n"))
    before = rng.choice(("", "set -e", "PATH=/sbin:/bin"))
    return f"{first}\n{before}\n{join.join(_commands(rng))}\n{last}"


def _rc_local(rng: random.Random, case: TrialCase, _: str) -> None:
    text, kind = _script(rng), rng.random()
    if kind < 0.08:
        text = text.removeprefix("#!")
    elif kind < 0.16:
        text = EXECUTABLE + text.partition("\n")[2]
    elif kind < 0.2:
        case.links[f"{_UNITS}/rc-local.service"] = "/dev/null"
    case.files["etc/rc.local"] = text


def _tmpfiles(rng: random.Random, case: TrialCase, name: str) -> None:
    kind = rng.choice(("w", "w", "w", "w+", "w!", "f", "W"))
    path = rng.choice((_FILE, _FILE, "/proc/sys/net/ipv4/vs/run_estim*"))
    where = rng.choice(("etc", "usr/lib", "run"))
    text = f"{kind} {path} - - - - {_number(rng)}\n"
    case.files[f"{where}/tmpfiles.d/{name}.conf"] = text  # noqa: S108


def _cron(rng: random.Random, case: TrialCase, name: str) -> None:
    when = rng.choice(("@reboot", "*/5 * * * *"))
    command = rng.choice(_SETS).format(_number(rng))
    path = rng.choice((f"etc/cron.d/{name}", "etc/crontab"))
    case.files[path] = f"{when} root {command}\n"


def _any_time(rng: random.Random, case: TrialCase, name: str) -> None:
    folder = rng.choice(("cron.daily", "NetworkManager/dispatcher.d", "profile.d", "network"))
    case.files[f"etc/{folder}/{name}"] = _script(rng)


def _udev(rng: random.Random, case: TrialCase, name: str) -> None:
    """Udev starts a unit: only devices that systemd knows of have SYSTEMD_WANTS read."""
    _unit(rng, case, name)
    tag = rng.choice((', TAG+="systemd"', ""))
    case.files[f"etc/udev/rules.d/91-{name}.rules"] = (
        f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs"{tag},'
        f' ENV{{SYSTEMD_WANTS}}+="{name}.service"\n'
    )


_WRITERS: tuple[Callable[[random.Random, TrialCase, str], None], ...] = (
    *(_unit,) * 8,
    *(_timer, _rc_local, _rc_local, _rc_local, _tmpfiles, _cron, _any_time, _udev),
)
