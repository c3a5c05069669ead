# ruff: noqa: PLR2004  # the numbers here are weights
"""What makes a case harder: field configurations to start from, and hooks that may not work.

Drawn from a source of its own, so that the rest of a case stays as its seed made it.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from lab import paths

if TYPE_CHECKING:
    import random

    from lab.oracle.trial_case import TrialCase

FIELD_CASES = paths.HERE.parent / "tests/corpus/field-cases.json"

_BEFORE = (
    *("modprobe nf_conntrack_ipv4 && ", "modprobe nf_conntrack && ", "modprobe no_such_module; "),
    *("/sbin/modprobe nf_nat || true; ", "modprobe -q no_such_module || exit 1; ", "sleep 0 && "),
    *("touch /var/none/x && ", "touch /tmp/x && ", "mkdir /var/lib/ipvs && ", "mkdir -p /tmp/a; "),
    *("cat /etc/none && ", "cat /etc/hostname >/dev/null; ", "grep -q x /etc/none || ", "set -e; "),
    *("set -u; ", "trap 'echo 1 > {key}' EXIT; ", "umask 077; ", "A=0; ", "exec 2>/dev/null; "),
    *("test -d /etc/none && ", "[ -x /sbin/sysctl ] && ", "[ ! -e {key} ] && ", "true | ", "! "),
)
_AFTER = (
    *(" && touch /var/none/x", "; touch /tmp/done", " && logger done", " || exit 0", "; exit 0"),
    *(
        " &",
        "; wait",
        " && echo 1 > {key}",
        "; echo $A > {key}",
        " | tee {key}",
        " || echo 0 > {key}",
    ),
    *("; [ -e /etc/none ] && echo 1 > {key}", "; for i in 0 1; do echo $i > {key}; done"),
    *("; case x in x) echo 0 > {key};; esac", "; eval 'echo 0 > {key}'", "; (echo 0 > {key})"),
    *("; f() {{ echo 0 > {key}; }}; f", "; echo $(echo 0) > {key}", "; echo 0 > {key} &", "; sync"),
    *("; if [ -w {key} ]; then echo 0 > {key}; fi", "; echo 0 | cat > {key}", "; printf 0 > {key}"),
)
_REDIRECTIONS = (
    *(" >/dev/null", " >/var/none/log", " >>/tmp/log", " 2>/var/none/log", " &>/dev/null", " >&2"),
    *(
        " </dev/null",
        " </etc/none",
        " >/etc",
        " >/dev/full",
        " 2>&1 >/dev/null",
        " >&- ",
        " &> /tmp/x",
    ),
)
_PROGRAMS = (
    *(("/sbin/sysctl", path) for path in ("/usr/bin/sysctl", "/usr/local/sbin/sysctl")),
    *(("/sbin/sysctl", path) for path in ("/bin/sysctl", "/usr/sbin/sysctl", "sysctl")),
    *(("/sbin/modprobe", path) for path in ("/usr/bin/modprobe", "/bin/modprobe", "modprobe")),
    *((" && ", join) for join in (" & ", "; ", " || ", " | ", " &amp;&amp; ", " && \\\n ")),
    *(("-ignore-install ip_vs", more) for more in ("-ignore-install ip_vs &", "-ignore-install")),
    *(("--ignore-install", option) for option in ("-C /dev/null", "-i -q", "-i -f", "", "-in")),
    *((" -p", option) for option in (" -p /etc/none.conf", " -q --pattern vs --system", " -pe")),
    *((" = 0", value) for value in (" = 1", "=0", " 0", " = 0 # off", "=\t0\r")),
)
_ALIAS_FILES = (
    *("install ip_vs /bin/true\n", "softdep ip_vs pre: nf_nat\n", "blacklist ip_vs\n"),
    *("install ip_vs /sbin/modprobe -i ip_vs && /sbin/sysctl -p\n", "alias ip_vs nf_nat\n"),
)
_SOFTDEPS = (
    "pre: nf_nat",
    "post: ip_vs_rr",
    "pre:",
    "  pre: nf_nat",
    "nf_nat",
)
_NEEDED_HOOKS = (
    *("/sbin/modprobe -i {name}", "/sbin/modprobe -i {name} && /usr/bin/sysctl -p", "/bin/false"),
    *("/sbin/modprobe -i {name} && /sbin/sysctl -q --pattern conntrack --system", "/bin/true"),
    *("/sbin/modprobe -i {name} && /sbin/sysctl -p", "/sbin/modprobe -i {name}; /opt/none/unknown"),
    *("/sbin/modprobe -i {name} && /sbin/sysctl -p /etc/none.conf", "/sbin/modprobe -qi {name}"),
)
_MISSING_SOFTDEPS = (
    *("pre: no_such_module", "post: no_such_module", "pre: no-such-module post: nf_conntrack_ipv4"),
    *("pre: no_such_module nf_nat", "pre: aliased", "pre: hooked", "post: ip_vs_rr no_such_module"),
)
_MALFORMED = (
    *(
        ('KERNEL=="', 'KERNEL="'),
        ("ACTION==", "action=="),
        ('RUN+="', "RUN+='"),
        ('"\n', '" # x\n'),
    ),
    *(('"\n', '";\n'), ("RUN+=", "RUN +="), (", ", "; "), ('"\n', '", FOO="x"\n'), (", ", " ")),
    *(('SUBSYSTEM=="module"', "SUBSYSTEM==module"), ("KERNEL==", "KERNEL+="), ('"\n', "\n")),
)
"""What makes a udev line one that udev throws away whole, or does not (facts of udev 252)."""

_KEY = "/proc/sys/net/ipv4/vs/run_estimation"


def harden(rng: random.Random, case: TrialCase) -> TrialCase:
    """The case, or half of the time a harder one."""
    if rng.random() < 0.5:
        return case
    if rng.random() < 0.5:
        field = rng.choice(_field_cases())
        files = {path[1:]: text for path, text in field["files"].items()}
        links = {path[1:]: target for path, target in field["links"].items()}
        case = replace(case, files=files, links=links, trigger=field["trigger"])
    else:
        case = replace(case, files=dict(case.files))
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        _alter(rng, case.files)
    if rng.random() < 0.08:
        name = rng.choice(("ipvs.alias", "a.alias"))
        case.files[f"{rng.choice(('etc', 'usr/lib'))}/modprobe.d/{name}"] = rng.choice(_ALIAS_FILES)
    if rng.random() < 0.08:
        # A dependency that is named twice is another question than the one that is asked.
        return replace(case, softdep=rng.choice(_SOFTDEPS), trigger="ip_vs")
    return case


def harden_more(rng: random.Random, case: TrialCase, rules: str) -> TrialCase:
    """The case, or sometimes one with what else was found to matter.

    Args:
        rng: a source of its own: cases of older seeds stay as they were but for this.
        case: the case, whose files may change.
        rules: path of its udev rules.
    """
    files = case.files
    if rng.random() < 0.06:
        name = rng.choice(("nf_conntrack", "nf-conntrack", "libcrc32c", "nf_defrag_ipv4"))
        command = rng.choice(_NEEDED_HOOKS).format(name=name)
        files["etc/modprobe.d/needed.conf"] = f"install {name} {command}\n"
    if rng.random() < 0.06:
        softdep = rng.choice(_MISSING_SOFTDEPS)
        more = "alias aliased nf_nat\ninstall hooked /bin/true\n"
        files["etc/modprobe.d/soft.conf"] = f"{more}softdep ip_vs {softdep}\n"
        case = replace(case, trigger="ip_vs")  # as in harden()
    if rng.random() < 0.06:
        hidden = [path for path in sorted(files) if path.startswith("usr/lib/modprobe.d/")]
        for path in hidden[:1]:
            higher = path.replace("usr/lib", rng.choice(("etc", "run")))
            if higher not in files:
                case.links[higher] = rng.choice(("/nowhere", "/dev/null"))
    if rules in files and rng.random() < 0.3:
        files[rules] = files[rules].replace(*rng.choice(_MALFORMED), 1)
    return case


def _alter(rng: random.Random, files: dict[str, str]) -> None:
    """Change one file: a program, a command, a redirection, a value, or a line less."""
    paths = sorted(files)
    if not paths:
        return
    hooks = [path for path in paths if "/modprobe.d/" in path and "install " in files[path]]
    path = rng.choice(hooks if hooks and rng.random() < 0.8 else paths)
    text, kind = files[path], rng.random()
    if path in hooks and kind < 0.55:
        files[path] = _altered_hook(rng, text, kind)
    elif kind < 0.9:
        usable = [(old, new) for old, new in _PROGRAMS if old in text]
        if usable:
            files[path] = text.replace(*rng.choice(usable), 1)
    else:
        lines = re.findall(r"[^\n]*\n|[^\n]+", text)
        del lines[rng.randrange(len(lines)) if lines else 0 : len(lines)]
        files[path] = "".join(lines)


def _altered_hook(rng: random.Random, text: str, kind: float) -> str:
    found = re.search(r"(?m)^(\s*install\s+\S+[ \t]+)((?:[^\n\\]|\\\n|\\.)*)", text)
    if found is None:
        return text
    command = found[2].rstrip("\r")
    if kind < 0.2:
        command = rng.choice(_BEFORE).format(key=_KEY) + command
    elif kind < 0.4:
        command += rng.choice(_AFTER).format(key=_KEY)
    elif kind < 0.5:
        command += rng.choice(_REDIRECTIONS)
    elif "'" not in command and "\n" not in command:
        shell = rng.choice(("/bin/sh -ec", "sh -c", "/bin/bash -c", "/usr/bin/env sh -c", "eval"))
        command = f"{shell} '{command}'"
    return text[: found.start(2)] + command + text[found.end() :]


@cache
def _field_cases() -> list[dict[str, Any]]:
    """Configurations of kinds found in public: etc/, modprobe.d and sysctl.d of theirs."""
    cases: list[dict[str, Any]] = json.loads(FIELD_CASES.read_text())
    return cases
