"""The probe's search for scripts and settings that set the key, in every shell and awk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from late_files import KEY, SETS, found, lines, put
from probe_runs import AWKS, SHELLS

from ipvs_audit.snapshot.config_files import Line

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("shell", SHELLS)
def test_of_a_script_only_what_concerns_it_comes(tmp_path: Path, shell: str) -> None:
    text = f"#!/bin/sh -e\n\n# {SETS}\nTOKEN=hunter2\nx=1\nset -u\n{SETS}\nexit 0\n"
    path = put(tmp_path, "etc/rc.local", text, 0o755)
    idle = put(tmp_path, "etc/cron.daily/x", "#!/bin/sh\nlogrotate\n", 0o755)
    read = found(tmp_path, shell)
    assert lines(read.files[path]) == [
        (1, "#!/bin/sh -e"),
        (6, "set -u"),
        (7, SETS),
        (8, "exit 0"),
    ]
    assert (read.files[path].executable, read.files[path].others) == (True, (4,))
    assert idle not in read.files


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_that_others_call_and_files_that_sysctl_reads(tmp_path: Path, shell: str) -> None:
    script = put(tmp_path, "usr/local/bin/tune.sh", f"#!/bin/sh\n{SETS}\n", 0o755)
    conf = put(tmp_path, "srv/ours.conf", "a.b = 1\nnet.ipv4.vs.run_estimation = 1\npw = hunter2\n")
    other = put(tmp_path, "srv/other.conf", "a.b = 1\n")
    cron = put(
        tmp_path,
        "etc/cron.d/x",
        f"MAILTO=x\n@reboot root {script}\n1 * * * * root sysctl -p {conf}\n"
        f"2 * * * * root sysctl -p {other}\n",
    )
    read = found(tmp_path, shell)
    assert [number for number, _ in lines(read.files[cron])] == [3, 4]
    assert set(read.called) == {script, conf}
    assert lines(read.files[script])[-1] == (2, SETS)
    assert read.settings == {conf: (Line(2, "net.ipv4.vs.run_estimation = 1"),)}
    assert read.named == (conf, other)
    assert "hunter2" not in repr(read)


@pytest.mark.parametrize("shell", SHELLS)
def test_odd_files_are_neither_opened_nor_too_many(tmp_path: Path, shell: str) -> None:
    os.mkfifo(put(tmp_path, "etc/cron.d/x", "")[:-1] + "pipe")
    put(tmp_path, "etc/cron.d/large", f"* * * * * root {SETS}\n" * 5000)
    for number in range(70):
        put(tmp_path, f"etc/cron.daily/{number}", f"{SETS}\n")
    read = found(tmp_path, shell)
    assert len(read.files) == 60
    assert "more files concern sysctl than the probe brings" in read.unreadable[0]
    for number in range(70):
        (tmp_path / f"etc/cron.daily/{number}").unlink()
    put(tmp_path, "etc/cron.d/long", f"* * * * * root {SETS}\n" * 300)
    read = found(tmp_path, shell)
    assert any("more lines than the probe brings" in each for each in read.unreadable)


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_chooses_the_same(tmp_path: Path, awk: str) -> None:
    path = put(tmp_path, "etc/rc.local", f"#!/bin/sh\ntttt\n\tset -e\n{SETS}\nexit 0 # x\n", 0o755)
    folder = tmp_path / "bin"
    folder.mkdir()
    wrapper = folder / "awk"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(AWKS[awk])} "$@"\n')
    wrapper.chmod(0o755)
    read = found(tmp_path, first=folder)
    assert lines(read.files[path]) == [(1, "#!/bin/sh"), (3, "\tset -e"), (4, SETS)]
    assert read.files[path].others == (2, 5)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_anywhere_comes_where_something_that_runs_names_it(
    tmp_path: Path, shell: str
) -> None:
    text = '#!/bin/sh\nTOKEN=hunter2\nsysctl -w "$line"\n'
    sets = put(tmp_path, "var/deep/down/tune.sh", text, 0o755)
    calls = put(tmp_path, "home/lb/boot.sh", f"#!/bin/sh\nexec {sets}\nsysctl $x\n", 0o755)
    packaged = put(tmp_path, "usr/share/lb/tune", text, 0o755)
    put(tmp_path, "usr/share/lb/idle", text, 0o755)
    put(tmp_path, "etc/systemd/system/lb.service", f"ExecStart=-/bin/sh {calls}\n")
    put(tmp_path, "usr/lib/systemd/system/a.service", f"ExecStart={packaged} --all\n")
    put(tmp_path, "etc/cron.d/x", f"# * * * * * root {sets}\n* * * * * root /bin/true\n")
    read = found(tmp_path, shell)
    assert lines(read.files[sets])[-1] == (3, 'sysctl -w "$line"')
    assert set(read.called) == set(read.files) == {sets, calls, packaged}
    assert "hunter2" not in repr(read)


def test_profiles_that_tuned_s_profiles_include_count_as_active(tmp_path: Path) -> None:
    put(tmp_path, "etc/tuned/active_profile", "web\n")
    put(tmp_path, "etc/tuned/web/tuned.conf", "[main]\ninclude=lb base\n")
    assert {"web", "lb", "base"} <= set(found(tmp_path).tuned)


def test_where_no_place_exists_the_current_folder_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "home/notes", f"{SETS}\n")
    monkeypatch.chdir(tmp_path / "home")
    assert not found(tmp_path / "empty").files


def test_a_file_that_sysctl_reads_comes_with_its_patterns(tmp_path: Path) -> None:
    conf = put(tmp_path, "opt/lb.conf", "net.ipv4.vs.run_estimation = 0\nnet.ipv4.*.run* = 1\n")
    put(tmp_path, "etc/cron.d/x", f"1 * * * * root sysctl -p {conf}\n")
    assert [line.number for line in found(tmp_path).settings[conf]] == [1, 2]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_anywhere_comes_but_from_documents_copies_and_reports(
    tmp_path: Path, shell: str
) -> None:
    text = f"#!/bin/sh\n{SETS}\n"
    there = [
        put(tmp_path, path, text)
        for path in (
            "etc/update-motd.d/99-x",
            "etc/letsencrypt/renewal-hooks/deploy/x.sh",
            "etc/monitrc",
            "etc/systemd/user/x.service",
            "usr/local/libexec/lb/x",
            "opt/lb/v2/lib/x",
            "root/x",
            "root/.bashrc",
            "srv/x",
            "home/lb/bin/x",
            # Directories of these names are left out, and not scripts.
            *("usr/local/bin/backup", "usr/local/sbin/puppet-run", "opt/lb/reports", "root/doc"),
        )
    ]
    for path in (
        *("etc/ssl/x.sh", "etc/ansible/roles/x.yml", "etc/sysctl.d/90.conf.orig"),
        *("opt/reports/latest/results.json", "opt/ipvs-audit/x.sh", "root/.bash_history"),
        *("usr/local/share/doc/x.sh", "root/.cache/x.sh", "srv/x.html", "data/x.sh"),
        *(
            "opt/t/lib/site-packages/x.py",
            "usr/local/lib/python3/dist-packages/x.py",
            "usr/share/x.sh",
        ),
    ):
        put(tmp_path, path, text)
    put(tmp_path, "etc/docs/x", "sysctl\n")
    assert sorted(found(tmp_path, shell).files) == sorted(there)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_that_is_named_from_its_folder_comes(tmp_path: Path, shell: str) -> None:
    text = f"#!/bin/sh\n{SETS}\n"
    scripts = {
        put(tmp_path, f"var/www/{name}/tune", text): name for name in ("app", "jobs", "lb", "idle")
    }
    unit = f"WorkingDirectory={tmp_path}/var/www/app\nExecStart=/bin/sh ./tune\n"
    put(tmp_path, "etc/systemd/system/a.service", unit)
    put(tmp_path, "etc/crontab", f"* * * * * root run-parts {tmp_path}/var/www/jobs\n")
    put(tmp_path, "etc/cron.d/x", f"@reboot root cd {tmp_path}/var/www/lb && ./tune\n")
    read = found(tmp_path, shell)
    assert {scripts[path] for path in read.files if path in scripts} == {"app", "jobs", "lb"}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_that_may_not_be_executed_or_a_program_s_file_names_others(
    tmp_path: Path, shell: str
) -> None:
    sets = put(tmp_path, "data/tune", f"{SETS}\n")
    source = put(tmp_path, "data/env.sh", f". {sets}\n")
    conf = put(tmp_path, "srv/keepalived.conf", f"notify_master {sets}\n")
    put(tmp_path, "etc/cron.d/x", f"@reboot root sh {source}\n")
    unit = "usr/lib/systemd/system/keepalived.service"
    put(tmp_path, unit, f"ExecStart=/usr/sbin/keepalived -f /etc/x {conf}\n")
    assert sets in found(tmp_path, shell).called
    os.unlink(source)  # noqa: PTH108
    assert sets in found(tmp_path, shell).called, conf


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_in_a_known_folder_comes_with_who_calls_it_by_its_name(
    tmp_path: Path, shell: str
) -> None:
    script = put(tmp_path, "usr/local/bin/tune.sh", f"#!/bin/sh\n{SETS}\n", 0o755)
    cron = put(tmp_path, "etc/cron.d/x", "@reboot root tune.sh --now\n")
    other = put(tmp_path, "etc/cron.d/z", "@reboot root timeout 60 tune.sh\n")
    unit = put(tmp_path, "etc/systemd/system/z.service", "ExecStart=/bin/sh -lc 'tune.sh'\n")
    idle = put(tmp_path, "etc/cron.d/y", "@reboot root x --tune.sh.d\n")
    read = found(tmp_path, shell)
    assert {script, cron, other, unit} <= set(read.files)
    assert idle not in read.files


@pytest.mark.parametrize("shell", SHELLS)
def test_a_program_s_binary_does_not_come_and_an_odd_name_is_told(
    tmp_path: Path, shell: str
) -> None:
    (tmp_path / put(tmp_path, "etc/cron.daily/x", "")).write_bytes(
        b"\x7fELF\0sysctl run_estimation\n"
    )
    put(tmp_path, "etc/cron.daily/two\nlines", f"{SETS}\n")
    read = found(tmp_path, shell)
    assert f"{tmp_path}/etc/cron.daily/x" not in read.files
    assert read.unreadable == ("/: a file that concerns sysctl has a name of several lines",) * 2


def test_tuned_s_post_loaded_profile_and_lists_with_commas_count(tmp_path: Path) -> None:
    put(tmp_path, "etc/tuned/active_profile", "web\n")
    put(tmp_path, "etc/tuned/post_loaded_profile", "ours\n")
    put(tmp_path, "etc/tuned/web/tuned.conf", "[main]\ninclude=lb,base\n")
    assert {"web", "lb", "base", "ours"} <= set(found(tmp_path).tuned)


def test_a_file_that_sysctl_reads_comes_whatever_its_name(tmp_path: Path) -> None:
    key = "net.ipv4.vs.run_estimation = 1\n"
    conf = put(tmp_path, "srv/lb/sysctl.conf", key)
    job = put(tmp_path, "etc/cron.d/x", f"1 * * * * root sysctl -p {conf}\n")
    for own in ("etc/sysctl.conf", "etc/sysctl.d/9.conf", "usr/lib/sysctl.d/9.conf"):
        with open(job, "a") as file:  # noqa: PTH123
            file.write(f"2 * * * * root sysctl -p {put(tmp_path, own, key)}\n")
    assert list(found(tmp_path).settings) == [conf]


def test_the_file_that_ufw_gives_to_sysctl_comes(tmp_path: Path) -> None:
    conf = put(tmp_path, "etc/ufw/sysctl.conf", "net/ipv4/vs/run_estimation=1\n")
    put(tmp_path, "etc/default/ufw", f'IPV6=yes\n# x\nIPT_SYSCTL="{conf}"\n')
    functions = put(tmp_path, "usr/lib/ufw/ufw-init-functions", "x\nsysctl -e -q -p $IPT_SYSCTL\n")
    read = found(tmp_path)
    assert read.settings == {conf: (Line(1, "net/ipv4/vs/run_estimation=1"),)}
    assert lines(read.files[str(tmp_path / "etc/default/ufw")]) == [(3, f'IPT_SYSCTL="{conf}"')]
    assert lines(read.files[functions]) == [(2, "sysctl -e -q -p $IPT_SYSCTL")]


def test_what_names_another_program_for_the_kernel_s_loads_comes(tmp_path: Path) -> None:
    path = "/proc/sys/kernel/modprobe"
    writes = put(tmp_path, "etc/rc.local", f"echo /opt/mp > {path}\n")
    by_tmpfiles = put(tmp_path, "etc/tmpfiles.d/x.conf", f"w {path} - - - - /opt/mp\n")
    put(tmp_path, "etc/cron.daily/x", f"cat {path}\n", 0o755)
    assert sorted(found(tmp_path).files) == sorted([writes, by_tmpfiles])


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_comes_with_what_uses_its_variables_and_whether_it_may_write(
    tmp_path: Path, shell: str
) -> None:
    text = (
        "#!/bin/sh\nPASS=hunter2\nB=/proc/sys/net/ipv4/vs\nF=$B/run_estimation\n"
        'V=$(cat "$F")\necho $V\necho hunter2 > "$OUT"\necho 1 > $F\n'
    )
    path = put(tmp_path, "opt/lb/tune", text)
    file = found(tmp_path, shell).files[path]
    assert [number for number, _ in lines(file)] == [1, 3, 4, 5, 8]
    assert file.writes
    assert "hunter2" not in repr(file)
    python = f'KEY = "{KEY}"\nwith open(OUT, "w") as f:\n    pass\nx = open(KEY).read()\n'
    path = put(tmp_path, "opt/lb/tune.py", python)
    file = found(tmp_path, shell).files[path]
    assert [number for number, _ in lines(file)] == [1, 4]
    assert file.writes
    path = put(tmp_path, "opt/lb/check", f"#!/bin/sh\nx=1\ncat {KEY}\n")
    assert not found(tmp_path, shell).files[path].writes


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_with_the_key_comes_with_who_names_it(tmp_path: Path, shell: str) -> None:
    key = "net.ipv4.vs.run_estimation = 1\n"
    for name in ("lb/tune.conf", "lb/keys", "lb/sysctl.conf"):
        put(tmp_path, f"opt/{name}", key)
    callers = [
        put(tmp_path, f"srv/{number}", f"#!/bin/sh\n{line}\n")
        for number, line in enumerate(
            ("sysctl -p $D/tune.conf", "apply < /opt/lb/keys", "cd x && sysctl -p ./sysctl.conf")
        )
    ]
    others = [put(tmp_path, "srv/x", "sysctl -p /etc/sysctl.conf\nkeys\ncat tune.conf.d\n")]
    read = found(tmp_path, shell)
    assert set(callers) <= set(read.files)
    assert not set(others) & set(read.files)


def test_a_search_that_takes_too_long_is_told(tmp_path: Path) -> None:
    put(tmp_path, "opt/x", f"{SETS}\n")
    endless = put(tmp_path, "endless", "#!/bin/sh\nexec sleep 600\n", 0o755)
    slow = {"timeout 10": f"timeout 0.01 {endless}"}
    assert "takes too long" in found(tmp_path, instead=slow).unreadable[0]
