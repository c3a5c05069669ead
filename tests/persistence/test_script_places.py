"""Scripts that others name, where scripts run, and commands that do not tell what they set."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, DROP_IN, OFF, off
from test_late_writers import EARLY, HOOKED, LOADS, SETS, UNIT, WANTED, booted, host, unit

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.late_writers.sysctl_calls import writes_what_is_not_told
from ipvs_audit.persistence.policy_verdicts import judge_reload
from ipvs_audit.persistence.reload import after_reload

KEY = "net/ipv4/vs/run_estimation"
VALUE = f"/proc/sys/{KEY}"
SCRIPT = "/srv/tune.sh"
SETTING = {SCRIPT: f"#!/bin/sh\n{SETS.format(1)}"}


def test_a_script_anywhere_that_names_the_key_counts_whoever_runs_it() -> None:
    for path in (SCRIPT, "/usr/local/bin/tune", "/var/lib/lb/tune", "/usr/sbin/tune"):
        script = {path: SETTING[SCRIPT]}
        doubt = after_reload(host(HOOKED, script), off).doubt
        assert f"{path}:2" in doubt
        assert "may do so at any time" in doubt
    right = {SCRIPT: f"#!/bin/sh\n{SETS.format(0)}"}
    assert judge_reload(host(HOOKED, right), Policy())[0] is Verdict.PASS


def test_a_script_that_sets_what_it_is_given_counts_where_something_that_runs_names_it() -> None:
    script = {SCRIPT: '#!/bin/sh\nsysctl -w "$line"'}
    assert f"{SCRIPT}:2" in after_reload(host(HOOKED, script, called=(SCRIPT,)), off).doubt
    assert judge_reload(host(HOOKED, script), Policy())[0] is Verdict.PASS


def test_scripts_that_call_each_other_end() -> None:
    text = f"#!/bin/sh\n/opt/a.sh\n/opt/b.sh\n{SETS.format(1)}"
    scripts = {"/opt/a.sh": text, "/opt/b.sh": text, "/etc/rc.local": "#!/bin/sh\n/opt/a.sh"}
    called = ("/opt/a.sh", "/opt/b.sh")
    assert booted(host(HOOKED, scripts, called=called)).holds(off) is None


@pytest.mark.parametrize(
    "line",
    [
        "bash -x /opt/tune.sh",
        "[ -x /opt/tune.sh ] && /opt/tune.sh",
        "cd /opt && ./tune.sh",
        '"$DIR/tune.sh" --quiet',
    ],
)
def test_a_script_that_is_called_in_any_way_is_followed(line: str) -> None:
    scripts = {"/etc/rc.local": f"#!/bin/sh\n{line}", "/opt/tune.sh": 'sysctl -w "$1"'}
    assert "through /opt/tune.sh:1" in booted(host(HOOKED, scripts)).doubt


@pytest.mark.parametrize(
    "path",
    [
        "/etc/profile.d/tune.sh",
        "/root/.bashrc",
        "/etc/dhcp/dhclient-exit-hooks.d/tune",
        "/etc/wireguard/wg0.conf",
        "/etc/logrotate.d/lb",
        "/etc/apt/apt.conf.d/99tune",
        "/etc/libvirt/hooks/network",
        "/usr/lib/systemd/system-sleep/tune",
        "/var/spool/cron/atjobs/a00001",
        "/var/spool/at/a00001",
    ],
)
def test_what_programs_start_on_their_own_may_run_at_any_time(path: str) -> None:
    verdict, why = judge_reload(host(HOOKED, {path: SETS.format(1)}), Policy())
    assert (verdict, path in why) == (Verdict.INCONCLUSIVE, True)
    assert judge_reload(host(HOOKED, {path: SETS.format(0)}), Policy())[0] is Verdict.PASS


def test_debian_s_cron_passes_over_a_file_with_a_dot_in_its_name() -> None:
    job = f"* * * * * root {SETS.format(1)}"
    about = host(HOOKED, {"/etc/cron.d/tune.disabled": job})
    assert judge_reload(about, Policy())[0] is Verdict.INCONCLUSIVE
    debian = replace(about, loaders=replace(about.loaders, os_id="debian"))
    assert judge_reload(debian, Policy())[0] is Verdict.PASS
    named = replace(debian, boot_files=host({}, {"/etc/cron.d/tune": job}).boot_files)
    assert judge_reload(named, Policy())[0] is Verdict.INCONCLUSIVE


def test_a_socket_that_accepts_connections_starts_instances_of_its_template() -> None:
    writers = {"/etc/systemd/system/est@.service": f"ExecStart={SETS.format(1)}"}
    wanted = (("est.socket", "sockets.target.wants"),)
    verdict, why = judge_reload(host(HOOKED, writers, wanted=wanted), Policy())
    assert (verdict, "at any time" in why) == (Verdict.INCONCLUSIVE, True)


@pytest.mark.parametrize(
    "command",
    [
        "/sbin/sysctl -w $TUNE",
        'while read -r line; do sysctl -w "$line"; done < /etc/tune.list',
        "xargs -n1 sysctl -w < /etc/tune.list",
        "sysctl -w net.ipv4.$NAME=1",
        "sysctl -p /opt/k8s/*.conf",
        "sysctl -q -p $FILE",
        "cat /opt/lb.conf | sysctl -p -",
        'sysctl --load="$FILE"',
        "cd /opt/lb && sysctl -p lb.conf",
        "curl -s http://lb/sysctl | sysctl -p /dev/stdin",
        "/sbin/sysctl -p /srv/not:brought.conf",
        "cd /opt/lb && sysctl -p tune.conf",
        "sysctl -p $DIR/99-k8s.conf",
        "sysctl -p /dev/stdin < /srv/tune",
        "/usr/lib/systemd/systemd-sysctl /srv/not-brought.conf",
    ],
)
def test_a_sysctl_that_may_set_the_key_unnamed_is_a_doubt(command: str) -> None:
    assert writes_what_is_not_told(command, KEY, ())
    found = booted(host(HOOKED, {"/etc/rc.local": f"#!/bin/sh\n{command}"}))
    assert "/etc/rc.local:2" in found.doubt


@pytest.mark.parametrize(
    "command",
    [
        "sysctl -w net.ipv6.conf.$IFACE.disable_ipv6=1",
        "sysctl -w net.core.somaxconn=$COUNT",
        'sysctl -n "$key"',
        "sysctl $quiet --system",
        "sysctl -p > /dev/null 2>&1",
        "sysctl -q -p /etc/sysctl.d/99-k8s.conf",
        "sysctl -p /dev/stdin <<EOF",
        "sysctl -p - <<'END'",
        "sysctl -p /etc/sysctl.d/*.conf",
        "sysctl -e -p /srv/brought.conf",
        "Then run 'sysctl -p'.  See /proc/sys/fs/file-max for the value",  # tor's init script
        'echo "run sysctl -p to apply it."',
        "systemd-sysctl --prefix=/net/ipv4/vs",
        "systemd-sysctl --prefix /net/ipv4/conf/$name /usr/lib/sysctl.d/50-default.conf",
        "man sysctl",
    ],
)
def test_a_sysctl_of_other_keys_or_of_known_files_is_none(command: str) -> None:
    assert not writes_what_is_not_told(command, KEY, {"/srv/brought.conf"})


@pytest.mark.parametrize(
    "line",
    [
        "cd /proc/sys/net/ipv4/vs",
        "find /proc/sys/net/ipv4/vs/ -name 'run_*' | while read -r f; do echo 1 > $f; done",
        "echo 1 | tee /proc/sys/net/ipv4/vs/run_est*",
    ],
)
def test_the_folder_of_ip_vs_s_keys_is_a_doubt_and_a_look_at_it_is_none(line: str) -> None:
    assert booted(host(HOOKED, {"/etc/rc.local": line})).holds(off) is None
    for looks in ("[ -d /proc/sys/net/ipv4/vs ] || exit 0", "ls /proc/sys/net/ipv4/vs"):
        assert booted(host(HOOKED, {"/etc/rc.local": looks})).holds(off) is True


def test_a_pattern_over_ip_vs_s_keys_is_a_doubt() -> None:
    loop = "for f in /proc/sys/net/ipv4/vs/*; do echo 1 > $f; done"
    assert booted(host(HOOKED, {"/etc/rc.local": loop})).holds(off) is None
    reads = "cat /proc/sys/net/ipv4/vs/*"
    assert booted(host(HOOKED, {"/etc/rc.local": reads})).holds(off) is True


@pytest.mark.parametrize(
    "command",
    [
        f"cp /opt/golden/sysctl.conf {CONF}",
        f"sed -i -e s/0/1/ {CONF}",
        "/bin/rm -f /etc/modprobe.d/ipvs.conf",
        f"cat /opt/golden.conf > {CONF}",
        "rsync -a --delete /opt/golden/ /etc/sysctl.d/",
        "rsync -a --delete /opt/golden/etc/ /etc/",
        "cp -a /opt/golden/. /",
        "tar -xzf /opt/golden.tar.gz -C /",
        "tar xf /opt/golden.tar --directory=/etc",
    ],
)
def test_a_command_at_boot_that_rewrites_what_decides_is_a_doubt(command: str) -> None:
    found = booted(host(HOOKED, {"/etc/rc.local": f"#!/bin/sh\n{command}"}))
    assert "/etc/rc.local:2" in found.doubt


@pytest.mark.parametrize(
    "command",
    [
        "rm -f /etc/sysctl.d/99-other.conf",
        "grep -q x /etc/sysctl.conf",
        f"cp {CONF} /root/backup",
        "echo vm.swappiness=1 > /etc/sysctl.d/99-other.conf",
    ],
)
def test_one_that_reads_it_or_writes_files_of_other_keys_is_none(command: str) -> None:
    files = {**HOOKED, "/etc/sysctl.d/99-other.conf": "vm.swappiness = 1\n"}
    assert booted(host(files, {"/etc/rc.local": f"#!/bin/sh\n{command}"})).holds(off) is True


CONFINED = [
    "ProtectKernelTunables=yes",
    "PrivateNetwork=true",
    "NetworkNamespacePath=/run/netns/x",
    "ReadOnlyPaths=/proc/sys",
    "InaccessiblePaths=/etc/modprobe.d",
    'Environment="MODPROBE_OPTIONS=-i"',
]


@pytest.mark.parametrize("line", CONFINED)
def test_a_unit_that_loads_ip_vs_in_a_sandbox_is_a_doubt(line: str) -> None:
    for command in (LOADS, "/usr/sbin/keepalived --dont-fork", "/sbin/ipvsadm-restore"):
        drop_in = {f"{UNIT}.d/hard.conf": line}
        for writers in (unit(command, more=line), {**unit(command), **drop_in}):
            found = booted(host(HOOKED, writers, wanted=WANTED))
            assert "in a sandbox" in found.doubt, writers
    by_sysctl = {**EARLY, DROP_IN: OFF}
    assert booted(host(by_sysctl, unit(LOADS, more=line), wanted=WANTED)).holds(off) is True


def test_a_sandbox_without_a_load_and_a_load_without_a_sandbox_are_fine() -> None:
    for more, command in (
        ("ProtectKernelTunables=yes", "/usr/bin/sshd"),
        ("ProtectKernelTunables=no\nPrivateTmp=yes", LOADS),
    ):
        found = booted(host(HOOKED, unit(command, more=more), wanted=WANTED))
        assert found.holds(off) is True, more


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        ("ip netns exec blue sysctl -q -w net.ipv4.vs.run_estimation=1", True),
        ('/sbin/ip netns exec "$NS" /sbin/sysctl -w net.ipv4.vs.run_estimation=1 || true', True),
        ("ip netns exec blue sysctl --system; sysctl -w net.ipv4.vs.run_estimation=1", None),
        ("ip netns exec blue sh -c 'sysctl -w net.ipv4.vs.run_estimation=1'", None),
    ],
)
def test_another_namespaces_key_is_not_the_hosts(command: str, holds: bool | None) -> None:
    """A unit that sets the key in its own namespaces is how EST-5 is complied with."""
    script = {SCRIPT: f"#!/bin/sh\n{command}\n"}
    found = booted(host(HOOKED, script, called=(SCRIPT,)))
    assert found.holds(off) is holds, found.summary


def test_what_is_done_in_another_namespace_is_shown_as_written() -> None:
    command = "ip netns exec blue sysctl --system; sysctl -w net.ipv4.vs.run_estimation=1"
    script = {SCRIPT: f"#!/bin/sh\n{command}\n"}
    assert command in booted(host(HOOKED, script, called=(SCRIPT,))).doubt


@pytest.mark.parametrize(
    "path",
    [
        "/etc/update-motd.d/99-tune",
        "/etc/monit/conf.d/lb",
        "/etc/supervisor/conf.d/lb.conf",
        "/etc/letsencrypt/renewal-hooks/deploy/reload.sh",
        "/etc/incron.d/lb",
        "/etc/bashrc",
        "/etc/systemd/user/tune.service",
        "/root/.config/systemd/user/tune.service",
        "/usr/share/netfilter-persistent/plugins.d/90-tune",
    ],
)
def test_a_command_in_any_program_s_own_hooks_may_run_at_any_time(path: str) -> None:
    for text in (
        SETS.format(1),
        f"command=/bin/sh -c '{SETS.format(1)}'",
        f"exec sh -c 'echo 1 > {VALUE}'",
        f"open('{VALUE}', 'w').write('1')",
    ):
        line = f"ExecStart={text}" if path.endswith(".service") else text
        doubt = after_reload(host(HOOKED, {path: line}), off).doubt
        assert path in doubt
        assert "at any time" in doubt
    assert after_reload(host(HOOKED, {path: SETS.format(0)}), off).holds(off) is True


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/app/lb.conf", "net.ipv4.vs.run_estimation = 1"),
        ("/etc/app/lb.yml", '- "net.ipv4.vs.run_estimation": 1'),
        ("/etc/update-motd.d/99-tune", "sysctl -n net.ipv4.vs.run_estimation"),
        ("/etc/zabbix/agent.d/lb.conf", f"UserParameter=est,cat {VALUE}"),
        ("/etc/prometheus/lb.yml", "expr: node_sysctl_net_ipv4_vs_run_estimation == 1"),
        ("/etc/default/exporter", "ARGS=--collector.sysctl.include=net.ipv4.vs.run_estimation"),
        ("/etc/rsyslog.d/lb.conf", ':msg, contains, "run_estimation" stop'),
        ("/etc/logcheck/lb", 'sysctl: setting key "net.ipv4.vs.run_estimation"'),
        ("/etc/sudoers.d/lb", f"ops ALL=(root) {SETS.format('*')}"),
        ("/etc/motd", SETS.format(1)),
        ("/etc/app/hook.sh.dpkg-old", SETS.format(1)),
        ("/etc/tuned/other/tune.sh", SETS.format(1)),
    ],
)
def test_what_nothing_reads_or_runs_in_etc_is_no_doubt(path: str, text: str) -> None:
    about = host(HOOKED, {path: text}, tuned=("lb",), executable=path.endswith("tune"))
    assert booted(about).holds(off) is True


@pytest.mark.parametrize("line", ["tune.sh", "exec tune.sh --now", "cd / && tune.sh"])
def test_a_script_that_is_called_by_its_name_alone_is_followed(line: str) -> None:
    scripts = {"/etc/rc.local": f"#!/bin/sh\n{line}", "/usr/local/bin/tune.sh": 'sysctl -w "$1"'}
    assert "through /usr/local/bin/tune.sh:1" in booted(host(HOOKED, scripts)).doubt


@pytest.mark.parametrize(
    "command",
    [
        "cp /opt/hosts /etc/",
        "tar -czf /backup/etc.tar.gz -C / etc",
        "rsync -a /etc/ /backup/etc/",
        "tar -xf /opt/app.tar -C /opt",
    ],
)
def test_a_backup_or_a_single_file_is_none(command: str) -> None:
    assert booted(host(HOOKED, {"/etc/rc.local": f"#!/bin/sh\n{command}"})).holds(off) is True


@pytest.mark.parametrize("command", ["/usr/local/bin/kube-proxy --v=2", "/usr/sbin/ldirectord"])
def test_a_load_balancer_in_a_sandbox_is_a_doubt(command: str) -> None:
    for line in ("ProtectKernelTunables=yes", "PrivateUsers=self"):
        found = booted(host(HOOKED, unit(command, more=line), wanted=WANTED))
        assert "in a sandbox" in found.doubt
