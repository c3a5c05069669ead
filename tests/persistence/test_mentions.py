"""Files that name the key and that nothing known runs: which may write it, and which do not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import off
from test_late_writers import HOOKED, host

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.policy_verdicts import judge_reload
from ipvs_audit.persistence.reload import after_reload

NAME = "net.ipv4.vs.run_estimation"
KEY = "/proc/sys/net/ipv4/vs/run_estimation"
WRONG = f"sysctl -w {NAME}=1"
PYTHON = "#!/usr/bin/python3\n"


def held(files: dict[str, str], *, executable: bool = False, writes: bool = False) -> bool | None:
    """Whether the value holds; with writes, a line that was not brought may write any file."""
    about = host(HOOKED, files, executable=executable)
    lines = about.boot_files.files
    marked = {path: replace(file, writes=writes) for path, file in lines.items()}
    about = replace(about, boot_files=replace(about.boot_files, files=marked))
    verdict, why = judge_reload(about, Policy())
    assert verdict is Verdict.PASS or any(f"{path}:" in why for path in files), why
    return after_reload(about, off).holds(off)


@pytest.mark.parametrize(
    "text",
    [
        WRONG,
        "KEY=run_estimation\necho 1 > /proc/sys/net/ipv4/vs/$KEY",
        f'B={KEY}\nF=$B\necho 1 > "${{F}}"',
        f"for k in net.core.somaxconn {NAME}; do\nsysctl -q $k=1\ndone",
        f"for k in net.core.somaxconn {NAME}; do sysctl -q $k=1; done",
        f'KEYS="{NAME} net.core.somaxconn"\nfor k in $KEYS; do\nsysctl -w "$k=1"\ndone',
        f"/opt/bin/setkey {NAME} 1",
        f"KEY={NAME} /opt/bin/setkey 1",
        f"export KEY={NAME}\n/opt/bin/setkey",
        f"case $1 in\non) {WRONG};;\noff) sysctl -w {NAME}=0;;\nesac",
        f"sysctl -p - <<EOF\n{NAME}=1\nEOF",
        f"printf 1 | dd of={KEY}",
        f"exec 3>{KEY}",
        f"nsenter -t 1 -n sysctl -w {NAME}=1",
        "cd /proc/sys/net/ipv4/vs\nfor f in *; do echo 1 > $f; done",
        "insmod /lib/modules/$(uname -r)/kernel/net/netfilter/ipvs/ip_vs.ko",
        "modprobe --ignore-install ip_vs",
    ],
)
def test_a_shell_script_that_may_write_the_key_is_a_doubt(text: str) -> None:
    for path, first in (("/opt/lb/v2/tune", "#!/bin/sh\n"), ("/srv/tune.sh", "")):
        past = "insmod" in text or "modprobe" in text
        script = {path: first + text}
        if past:  # nothing happens where it is loaded: the boot is not certain
            assert judge_reload(host(HOOKED, script), Policy())[0] is Verdict.INCONCLUSIVE
        else:
            assert held(script) is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("t.py", f'{PYTHON}P = "{KEY}"\n'),  # with writes: open(P, "w") in a line not brought
        ("t.py", f'{PYTHON}S = [\n  ("{NAME}", 1),\n]'),
        ("t.py", f'{PYTHON}class T:\n  path = "{KEY}"\n  with open(self.path, "w") as f:'),
        ("t.py", f'{PYTHON}fd = os.open("{KEY}", os.O_WRONLY)'),
        ("t.py", f'{PYTHON}KEY = "{NAME}"\nsubprocess.run(["sysctl", "-w", KEY + "=1"])'),
        ("t.py", f'{PYTHON}KEY = "{NAME}"\nos.system(f"sysctl -w {{KEY}}=1")'),
        ("t.py", f'{PYTHON}check_call(["/sbin/sysctl", "{NAME}=1"])'),
        ("t.pl", f'my $p = "{KEY}";\nopen(my $f, ">", $p);'),
        ("t.pl", f'system("{WRONG}");'),
        ("t.rb", f'File.write("{KEY}", "1")'),
        ("t.js", f'fs.writeFileSync("{KEY}", "1")'),
        ("t.php", f'<?php file_put_contents("{KEY}", "1");'),
        ("t.lua", f'local f = io.open("{KEY}", "w")'),
        ("t.awk", f'BEGIN {{ print 1 > "{KEY}" }}'),
        ("t.tcl", f'set f [open "{KEY}" w]'),
        ("Makefile", f"tune:\n\t{WRONG}"),
    ],
)
def test_a_script_of_another_language_that_may_write_the_key_is_a_doubt(
    path: str, text: str
) -> None:
    assert held({f"/opt/lb/{path}": text}, writes=True) is None


@pytest.mark.parametrize(
    "text",
    [
        f'KEY={NAME}\nv=$(sysctl -n $KEY)\n[ "$v" = 0 ] || exit 2',
        f"v=$(cat {KEY})",
        f'for k in {NAME} a.b; do\necho "sysctl{{k=\\"$k\\"}} $(sysctl -n $k)" >> "$T"\ndone',
        'for f in /proc/sys/net/ipv4/vs/*; do echo "$f $(cat $f)"; done',
        f"true # and not {WRONG}",
        f'echo "to enable it: {WRONG}; then reboot"',
        f"[ -e {KEY} ] || exit 0",
        f"ip netns exec blue {WRONG}",
        f"sysctl -w {NAME}=0",
        f"KEY={NAME}\nsysctl -w $KEY=0",
    ],
)
def test_a_shell_script_that_reads_the_key_or_sets_it_right_is_none(text: str) -> None:
    assert held({"/usr/local/bin/check": f"#!/bin/sh\n{text}"}, writes=True) is True


def test_a_list_of_keys_is_a_doubt_where_its_script_may_write_some_file() -> None:
    script = {"/opt/audit.sh": f'KEYS="{NAME} net.ipv4.ip_forward"'}
    assert held(script) is True
    assert held(script, writes=True) is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("check.py", f'{PYTHON}KEY = "{KEY}"\nvalue = open(KEY).read()'),
        ("check.py", f'{PYTHON}v = subprocess.check_output(["sysctl", "-n", "{NAME}"])'),
        ("check.py", f'{PYTHON}print("run: sysctl -w a.b=1; see {NAME}")'),
        ("check.pl", f'open(my $f, "<", "{KEY}") or die;'),
    ],
)
def test_a_check_of_another_language_is_none_whatever_else_it_writes(path: str, text: str) -> None:
    assert held({f"/opt/lb/{path}": text}, writes=True) is True


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/root/notes", f"to switch it on: {WRONG}"),
        ("/opt/lb/90-ipvs.conf", f"{NAME} = 1"),
        ("/opt/site.yml", f"- ansible.posix.sysctl:\n    name: {NAME}\n    value: 1"),
        ("/usr/local/bin/tune.sh.bak", WRONG),
        ("/usr/local/bin/tune.sh.disabled", WRONG),
        ("/opt/lb/README", WRONG),
    ],
)
def test_what_nothing_can_run_and_nobody_names_is_none(path: str, text: str) -> None:
    assert held({path: text}) is True


@pytest.mark.parametrize(
    ("data", "text", "line"),
    [
        ("/opt/lb/tune.conf", f"{NAME} = 1", "sysctl -p $D/tune.conf"),
        ("/opt/lb/tune.conf", f"{NAME} = 1", "cd /opt/lb && sysctl -p tune.conf"),
        ("/opt/lb/sysctl.conf", f"{NAME} = 1", "sysctl -p ./sysctl.conf"),
        ("/opt/lb/keys", f"{NAME}=1", 'while read l; do sysctl -w "$l"; done < /opt/lb/keys'),
        ("/opt/lb/env", WRONG, ". ${0%/*}/env"),
        ("/opt/lb/agent.yml", f"cmd: {WRONG}", "agent --config /opt/lb/agent.yml"),
    ],
)
def test_data_with_the_key_is_a_doubt_where_a_script_names_it(
    data: str, text: str, line: str
) -> None:
    assert held({data: text}) is True
    assert held({data: text, "/srv/start.sh": line}) is None


def test_another_file_of_the_same_name_and_data_that_sets_nothing_are_none() -> None:
    kept = {"/root/etc-copy/sysctl.conf": f"{NAME} = 1"}
    assert held({**kept, "/opt/go.sh": "sysctl -p /etc/sysctl.conf"}) is True
    named = {"/opt/exporter.yml": f"- {NAME}", "/opt/est.prom": f'sysctl{{key="{NAME}"}} 0'}
    assert held({**named, "/opt/go.sh": "exporter /opt/exporter.yml > /opt/est.prom"}) is True


def test_an_executable_file_of_data_is_no_script() -> None:
    assert held({"/opt/lb/x.conf": f"{NAME} = 1"}, executable=True) is True
    assert held({"/opt/lb/x": f"{NAME} = 1"}, executable=True) is None


def test_a_script_that_names_the_key_and_sets_what_it_is_given_is_a_doubt() -> None:
    function = 'set_one() { sysctl -w "$1=$2"; }'
    assert held({"/opt/tool.sh": function}) is True
    assert held({"/opt/tool.sh": f"{function}\nset_one {NAME} 1"}) is None
