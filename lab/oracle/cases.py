# ruff: noqa: PLR2004  # the numbers here are weights
"""Random configuration trees, weighted towards what is tricky.

The same seed and number give the same case, whatever else is asked for. That udev has several rules
was added later, and is drawn from a source of its own: the rest of older cases stays as it was.
"""

from __future__ import annotations

import random
from dataclasses import replace

from lab.oracle.hard_cases import harden, harden_more
from lab.oracle.trial_case import TrialCase

KEY = "net.ipv4.vs.run_estimation"
CONF = "etc/sysctl.conf"
RULES = "etc/udev/rules.d/90-oracle.rules"
SYSCTL = ("etc", "run", "usr/local/lib", "usr/lib")

MISSING_MODULES = ("nf_conntrack_ipv4", "no_such_module")
"""Modules that cases name and no kernel of the lab has."""

_OTHER_DIRECTIVES = ("softdep ip_vs_rr",)
_NAMES = (
    *("10-a.conf", "50-b.conf", "90-ipvs.conf", "90-ipvs.conf", "99-sysctl.conf", "99-z.conf"),
    *("Z.conf", "_x.conf", "zz.conf", "90-ipvs.conf.bak", "90-ipvs", ".hidden.conf", "9.CONF"),
)
_PLAIN = (KEY, "net/ipv4/vs/run_estimation")
_GLOBS = (
    *("net.ipv4.*.run_estimation", "net.ipv4.vs.run_estim*", "net.ipv4.v?.run_estimation"),
    *("net/ipv4/vs/run_[a-f]stimation", "net.*.vs.run_estimation", "*.ipv4.vs.run_estimation"),
    *("net.ipv4.[!a-u]s.run_estimation", "net.ipv4.v[[:alpha:]].run_estimation"),
)
_ODD = (
    *("/net/ipv4/vs/run_estimation", "net.ipv4..vs.run_estimation", f"{KEY}.", f".{KEY}"),
    *("net/ipv4/vs.run_estimation", "net.ipv4.vs/run_estimation", "net/./ipv4/vs/run_estimation"),
    *("net/ipv4/../ipv4/vs/run_estimation", "net.ipv4.*.*", "*.run_estimation", "net.ipv4.vs."),
    *("net.ipv4.vs.run_estimatio[", "net.ipv4.vs.run\\_estimation", "net.ipv4.vs.RUN_ESTIMATION"),
    *("/proc/sys/net/ipv4/vs/run_estimation", "sys.net.ipv4.vs.run_estimation"),
)
_VALUES = ("0", "1", "0", "1", "2", "3")
_ODD_VALUES = (
    *("00", "0x0", "0x3", "-1", "-0", "+0", "08", '"0"', "'0'", "0 # off", "0 ; off", "0#off", ""),
    *("off", "0 1", "0,1", " 0", "\t0 ", "= 0", "4294967296", "2147483647", "0" * 20, "0" * 21),
    *("0" + " " * 5000 + "1", "0 " + "x" * 5000, "1\v", "0\f", "\v0"),
)
_OTHERS = ("kernel.panic = 0", "net.ipv4.vs.drop_entry=0", "# comment", "; comment", "", "   ", "#")
_MISSING = ("net.bogus.key = 1", "-net.bogus.key = 1", "net.bogus.*.x = 1")
_NOISE = ("garbage", "=", "a=", "-", "=0", "[section]", "x" * 6000, "net.ipv4.vs.run_estimation 0")


def make_case(seed: int, number: int) -> TrialCase:
    """The case of a seed and a number."""
    rng = random.Random(f"{seed}/{number}")  # noqa: S311  # a test's choice, not a secret
    case = TrialCase(number, trigger=rng.choice(("ip_vs", "ip_vs", "ip-vs", "ip_vs_rr")))
    if rng.random() < 0.6:
        case.files[CONF] = _text(rng)
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4))):
        _put(rng, case, f"{rng.choice(SYSCTL)}/sysctl.d/{rng.choice(_NAMES)}")
    if rng.random() < 0.3:
        case.links.setdefault("etc/sysctl.d/99-sysctl.conf", "../sysctl.conf")
        case.files.pop("etc/sysctl.d/99-sysctl.conf", None)
    _hooks(rng, case)
    if rng.random() < 0.15:
        case.files[RULES] = _rule(rng)
    if rng.random() < 0.3:
        name = rng.choice(("ip_vs", "ip-vs", "ip_vs_rr", "# ip_vs", "; ip_vs", " ip_vs ", "nf_nat"))
        where = rng.choice(("etc", "usr/lib"))
        case.files[f"{where}/modules-load.d/oracle.conf"] = f"{name}\n"
    _more_rules(random.Random(f"{seed}/{number}/rules"), case)  # noqa: S311  # as above
    case = harden(random.Random(f"{seed}/{number}/hard"), case)  # noqa: S311  # as above
    case = harden_more(random.Random(f"{seed}/{number}/more"), case, RULES)  # noqa: S311  # as above
    with_softdep = any(name in text for text in case.files.values() for name in _OTHER_DIRECTIVES)
    # A dependency that is named twice is another question than the one that is asked.
    return replace(case, trigger="ip_vs") if with_softdep else case


def _put(rng: random.Random, case: TrialCase, path: str) -> None:
    case.files.pop(path, None)
    case.links.pop(path, None)
    kind = rng.random()
    if kind < 0.08:
        case.links[path] = "/dev/null"
    elif kind < 0.12:
        case.links[path] = "/nowhere"
    elif kind < 0.2 and case.files:
        case.links[path] = "/" + rng.choice(sorted(case.files))
    elif kind < 0.23:
        case.files[path] = ""
    else:
        case.files[path] = _text(rng)


def _text(rng: random.Random) -> str:
    lines = [_line(rng) for _ in range(rng.choice((1, 1, 2, 3, 4)))]
    end = rng.choice(("\n", "\n", "\n", "\n", "\r\n"))
    return end.join(lines) + rng.choice((end, end, end, "", "\n\n"))


def _line(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.18:
        return rng.choice(_OTHERS)
    if kind < 0.23:
        return rng.choice(_MISSING)
    if kind < 0.28:
        return rng.choice(_NOISE)
    kind = rng.random()
    name = rng.choice(_PLAIN if kind < 0.55 else _GLOBS if kind < 0.82 else _ODD)
    before = rng.choice(("", "", "", "", "-", "-", " ", "\t", "- ", "--", "#", ";", "\v"))
    if "-" in before and rng.random() < 0.5:
        return f"{before}{name}"
    equals = rng.choice(("=", " = ", "=", " =", "\t=\t"))
    return f"{before}{name}{equals}{rng.choice(_VALUES if rng.random() < 0.7 else _ODD_VALUES)}"


def _hooks(rng: random.Random, case: TrialCase) -> None:
    if rng.random() < 0.15:
        return
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        name = rng.choice(("ipvs.conf", "ipvs.conf", "a.conf", "z.conf", "ipvs.txt", ".a.conf"))
        path = f"{rng.choice(('etc', 'etc', 'run', 'usr/lib'))}/modprobe.d/{name}"
        if rng.random() < 0.06:
            case.files.pop(path, None)
            case.links[path] = rng.choice(("/dev/null", "/nowhere"))
        else:
            case.links.pop(path, None)
            lines = [_directive(rng, case) for _ in range(rng.choice((1, 1, 1, 2)))]
            end = rng.choice(("\n", "\n", "\n", "\n", "\n", "\r\n"))
            case.files[path] = end.join(lines) + rng.choice((end, end, ""))


def _directive(rng: random.Random, case: TrialCase) -> str:
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(
            (
                *("blacklist ip_vs", "softdep ip_vs pre: nf_conntrack", "softdep ip_vs nf_nat"),
                *("softdep ip_vs_rr pre: ip_vs", "options ip_vs conn_tab_bits=8", "# a comment"),
                *("softdep ip-vs post: ip_vs_rr", "remove ip_vs /bin/true", "alias oracle ip_vs"),
                *("install", "install ip_vs", "nonsense here", "softdep ip_v? pre: nf_nat"),
            )
        )
    name = rng.choice(
        ("ip_vs",) * 10
        + ("ip-vs", "ip_v?", "ip*vs", "ip_vs_rr", "ip-vs-rr", "[ij]p_vs", "ip[_-]vs", "ip_vs*")
    )
    before = rng.choice(("", "", "", "", " ", "\t", "#"))
    gap = rng.choice((" ", " ", " ", "  ", "\t", " \\\n "))
    return f"{before}install {name}{gap}{_command(rng, case, name)}"


def _command(rng: random.Random, case: TrialCase, name: str) -> str:
    target = "ip_vs_rr" if name in ("ip_vs_rr", "ip-vs-rr") else "ip_vs"
    load = rng.choice(
        (
            *(f"/sbin/modprobe --ignore-install {target}",) * 4,
            *(
                f"/sbin/modprobe -i {target}",
                f"modprobe -qi {target}",
                f"modprobe --ignore-i {target}",
            ),
            f"/sbin/modprobe --ignore-install {target} $CMDLINE_OPTS",
            f"/usr/sbin/modprobe -i -- {target.replace('_', '-')}",
        )
    )
    if name == "ip_vs*":
        load = "/sbin/modprobe --ignore-install ip_vs"
    join = rng.choice((" && ", " && ", " && ", "; ", " || ", " && \\\n  ", ";"))
    apply = [_apply(rng, case) for _ in range(rng.choice((0, 1, 1, 1, 1, 2)))]
    whole = join.join([load, *apply])
    if rng.random() < 0.08 and apply:
        whole = join.join([apply[0], load])
    if rng.random() < 0.1 and "'" not in whole and "\n" not in whole:
        whole = f"/bin/sh -c '{whole}'"
    elif rng.random() < 0.08 and "\n" not in whole:
        whole = rng.choice(("( {} )", "{{ {}; }}", "{} >/dev/null 2>&1", "if true; then {}; fi"))\
            .format(whole)  # fmt: skip
    return whole


def _apply(rng: random.Random, case: TrialCase) -> str:
    file = f"/proc/sys/{KEY.replace('.', '/')}"
    drop_ins = sorted(path for path in case.files if "/sysctl.d/" in path and path.endswith("conf"))
    named = "/" + rng.choice(drop_ins) if drop_ins else "/etc/sysctl.conf"
    number = rng.choice("00012")
    return rng.choice(
        (
            *("/sbin/sysctl -p",) * 6,
            *("sysctl -q -p", "sysctl -e -p", "/sbin/sysctl -pq", "/sbin/sysctl --load"),
            *("/sbin/sysctl --system",) * 3,
            *(f"sysctl -p {named}", f"sysctl -p{named}", f"sysctl -q -p /etc/sysctl.conf {named}"),
            *("sysctl -p /etc/sysctl.d/*.conf", "sysctl -p /etc/sysctl.d/none.conf"),
            *(f"sysctl -w {KEY}={number}", f"sysctl {KEY}={number}", f"sysctl -w {KEY} = {number}"),
            *(f"sysctl -w '{KEY} = {number}'", f"sysctl -qw net/ipv4/vs/run_estimation={number}"),
            *(
                f"sysctl -w net.ipv4.*.run_estimation={number}",
                f"sysctl -w {KEY}=x",
                f"sysctl {KEY}",
            ),
            *("sysctl -e -w net.bogus.key=1", "sysctl -w net.bogus.key=1", "sysctl"),
            *("/lib/systemd/systemd-sysctl",) * 2,
            "/usr/lib/systemd/systemd-sysctl --prefix=/net/ipv4/vs",
            "/lib/systemd/systemd-sysctl --prefix=net.ipv4.vs",
            "/lib/systemd/systemd-sysctl --prefix=/net/ipv4/conf",
            "/lib/systemd/systemd-sysctl --prefix=/proc/sys/net/ipv4/vs",
            f"/lib/systemd/systemd-sysctl {named}",
            *("systemd-sysctl", "systemctl restart systemd-sysctl", "/opt/none/unknown"),
            *(f"echo {number} > {file}", f"echo {number} >> {file}", f"echo -n {number} >{file}"),
            *(f"echo {number} | tee {file}", f"printf '{number}\\n' > {file}", f"echo x > {file}"),
            *(f"[ -e {file} ] && echo {number} > {file}", "true", "false", "exit 0", "sleep 0"),
            *(f"test -f {file}", f"! echo {number} > {file}", "echo done >/dev/null"),
        )
    )


def _rule(rng: random.Random) -> str:
    action = rng.choice(
        ('ACTION=="add"', 'ACTION=="add|change"', 'ACTION!="remove"', 'ACTION=="remove"')
    )
    name = rng.choice(('KERNEL=="ip_vs"', 'KERNEL=="ip_vs*"', 'DEVPATH=="/module/ip_vs"'))
    if rng.random() < 0.15:
        name = rng.choice(
            (
                *('KERNEL=="ip_vs_rr"', 'KERNEL!="ip_vs"', 'KERNEL=="ip-vs"'),
                *('KERNEL=="nf_conntrack"', 'ATTR{refcnt}=="0"'),
            )
        )
    run = rng.choice(
        (
            *("/usr/lib/systemd/systemd-sysctl --prefix=/net/ipv4/vs",) * 3,
            *("/lib/systemd/systemd-sysctl", "/sbin/sysctl -p", "/sbin/sysctl --system"),
            *("sysctl --system", f"/sbin/sysctl -w {KEY}=0"),
            f"/bin/sh -c 'echo 0 > /proc/sys/{KEY.replace('.', '/')}'",
        )
    )
    return f'{action}, SUBSYSTEM=="module", {name}, RUN+="{run}"\n'


def _more_rules(rng: random.Random, case: TrialCase) -> None:
    """Several rules around the one that a case has, or where it has none."""
    if rng.random() < (0.4 if RULES in case.files else 0.9):
        return
    lines = [case.files[RULES]] if RULES in case.files else []
    for _ in range(rng.choice((1, 2, 2, 3))):
        lines.insert(rng.randint(0, len(lines)), _other_rule(rng))
    if rng.random() < 0.4:
        jump = rng.choice(
            (
                *('SUBSYSTEM!="module"', 'ACTION!="add"', 'KERNEL!="ip_vs*"', 'ACTION=="remove"'),
                *('KERNEL=="ip_vs"', 'ACTION=="add", SUBSYSTEM=="module"', 'TEST=="/etc/fstab"'),
                *('KERNEL=="nf_*"', 'SUBSYSTEM=="net"'),
            )
        )
        start = rng.randint(0, len(lines))
        lines.insert(start, f'{jump}, GOTO="oracle"\n')
        label = rng.choice(('LABEL="oracle"\n', 'LABEL="oracle"\n', 'LABEL="other"\n'))
        lines.insert(rng.randint(start + 1, len(lines)), label)
    case.files[RULES] = "".join(lines)


def _other_rule(rng: random.Random) -> str:
    """A rule of ip_vs, of another module or device, or of what a load does not bring."""
    kind = rng.random()
    if kind < 0.4:
        return _rule(rng)
    if kind < 0.5:
        return rng.choice(("# ip_vs\n", "\n", 'KERNEL=="ip_vs", TAG+="oracle"\n', "nonsense\n"))
    event = rng.choice(
        (
            *('ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs"',) * 3,
            *('ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack"', 'SUBSYSTEM=="net"'),
            *('ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs_rr"', 'SUBSYSTEM=="module"'),
            'ACTION=="remove", SUBSYSTEM=="module", KERNEL=="ip_vs"',
        )
    )
    operator = rng.choice(("+=", "+=", "+=", "=", ":="))
    number = rng.choice("001")
    run = rng.choice(
        (f"/sbin/sysctl -w {KEY}={number}", "/bin/true", "/lib/systemd/systemd-sysctl")
    )
    more = rng.choice(("", "", f', RUN+="/sbin/sysctl -w {KEY}={rng.choice("01")}"'))
    return f'{event}, RUN{operator}"{run}"{more}\n'
