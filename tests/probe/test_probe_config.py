"""The probe's reading of configuration, on made-up file trees, in every shell and awk."""

import hashlib
import os
from pathlib import Path

import pytest
from probe_runs import AWKS, SHELLS, run

from ipvs_audit.persistence.tree_on_disk.tree import read_tree
from ipvs_audit.snapshot.config_files import ConfigTree, Line, parse_config_files

RECIPE = "install ip_vs /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for name in ("etc/sysctl.d", "etc/modprobe.d", "run", "usr/lib/sysctl.d", "usr/local/lib"):
        (folder / name).mkdir(parents=True)
    return folder


def put(root: Path, path: str, content: str | bytes = "", mode: int = 0o644) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(mode)
    return file


def tree(root: Path, shell: str = "sh", *before: str, path: str = "") -> ConfigTree:
    """What the probe reads there, the paths as they are on a host."""
    environment = {"PATH": f"{path}:{os.environ['PATH']}"} if path else {}
    sections = run(SHELLS[shell], root=root, before=before, environment=environment)
    prefix = str(root)
    read = parse_config_files(sections)
    cut = {name: read.files[name] for name in read.files}
    return ConfigTree(
        files={name.removeprefix(prefix): file for name, file in cut.items()},
        keys=read.keys,
        cmdline=read.cmdline,
        unreadable=tuple(text.replace(prefix, "") for text in read.unreadable),
        ignored=tuple(text.removeprefix(prefix) for text in read.ignored),
    )


def lines(read: ConfigTree, path: str) -> list[tuple[int, str]] | None:
    found = read.files[path].lines
    return None if found is None else [(line.number, line.text) for line in found]


@pytest.mark.parametrize("shell", SHELLS)
def test_sysctl_lines_come_with_their_numbers_and_without_comments(root: Path, shell: str) -> None:
    content = "# no\n\n  ; no\na.b = 1\n\t \n -c/d=2 # x\r\nnot an assignment\n last = 3"
    file = put(root, "etc/sysctl.conf", content, 0o640)
    read = tree(root, shell)
    assert lines(read, "/etc/sysctl.conf") == [
        (4, "a.b = 1"),
        (6, " -c/d=2 # x\r"),
        (7, "not an assignment"),
        (8, " last = 3"),
    ]
    got = read.files["/etc/sysctl.conf"]
    assert (got.uid, got.gid, got.mode, got.size) == (os.getuid(), os.getgid(), 0o640, len(content))
    assert got.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert got.real == str(file)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "name",
    [
        "a b.conf",
        "new\nline.conf",
        "quote'\".conf",
        "co:lon.conf",
        "back\\slash.conf",
        "x=1.conf",
        "-dash.conf",
        "$(reboot).conf",
        "*.conf",
        "end.conf",
        "\x1b[31m.conf",
        "back\\nslash.conf",
        "\\\n\n.conf",
        "ümlaut.conf",
        "file \nreal \ndangling.conf",
    ],
)
def test_any_file_name_is_just_a_name(root: Path, shell: str, name: str) -> None:
    put(root, f"etc/sysctl.d/{name}", "a.b = 1\n")
    put(root, "etc/sysctl.d/zz.conf", "c.d = 2\n")
    read = tree(root, shell)
    assert lines(read, f"/etc/sysctl.d/{name}") == [(1, "a.b = 1")]
    assert lines(read, "/etc/sysctl.d/zz.conf") == [(1, "c.d = 2")]
    assert {file.sha256 for file in read.files.values()} == {
        hashlib.sha256(b"a.b = 1\n").hexdigest(),
        hashlib.sha256(b"c.d = 2\n").hexdigest(),
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_links_masks_and_what_is_no_file(root: Path, shell: str) -> None:
    target = put(root, "etc/sysctl.conf", "a.b = 1\n")
    folder = root / "etc/sysctl.d"
    (folder / "99-sysctl.conf").symlink_to("../sysctl.conf")
    (folder / "10-masked.conf").symlink_to("/dev/null")
    (folder / "20-dangling.conf").symlink_to("nowhere")
    (folder / "30-folder.conf").mkdir()
    os.mkfifo(folder / "40-fifo.conf")
    put(root, "etc/sysctl.d/50-empty.conf")
    read = tree(root, shell)
    assert lines(read, "/etc/sysctl.d/99-sysctl.conf") == [(1, "a.b = 1")]
    assert read.files["/etc/sysctl.d/99-sysctl.conf"].real == str(target)
    assert read.files["/etc/sysctl.d/10-masked.conf"].masks
    assert read.files["/etc/sysctl.d/20-dangling.conf"].real == ""
    assert lines(read, "/etc/sysctl.d/50-empty.conf") == []
    assert set(read.unreadable) == {
        "/etc/sysctl.d/30-folder.conf: not a regular file",
        "/etc/sysctl.d/40-fifo.conf: not a regular file",
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_a_directory_that_is_a_link_holds_the_same_files(root: Path, shell: str) -> None:
    (root / "lib").symlink_to("usr/lib")
    file = put(root, "usr/lib/sysctl.d/50-x.conf", "a.b = 1\n")
    read = tree(root, shell)
    assert lines(read, "/usr/lib/sysctl.d/50-x.conf") == [(1, "a.b = 1")]
    alias = read.files[f"{root}/lib/sysctl.d/50-x.conf".removeprefix(str(root))]
    assert alias.lines == (Line(1, "a.b = 1"),)
    assert alias.real == str(file)


@pytest.mark.parametrize("shell", SHELLS)
def test_modprobe_lines_that_matter_are_logical_ones(root: Path, shell: str) -> None:
    put(root, "etc/modprobe.d/ipvs.conf", (
        "# install ip_vs /bin/false\nblacklist floppy\n"
        "install ip_vs /sbin/modprobe \\\n  --ignore-install ip_vs \\\n&& sysctl -p\n"
        "options ip-vs conn_tab_bits=15\ninstall ip* /bin/true\nsoftdep nf_conntrack post: IP_VS\n"
        "alias net-pf-10 off\nblacklist ip_vs\\"
    ))  # fmt: skip
    put(root, "etc/modprobe.d/ipvs.cfg", RECIPE)
    read = tree(root, shell)
    assert lines(read, "/etc/modprobe.d/ipvs.conf") == [
        (3, "install ip_vs /sbin/modprobe   --ignore-install ip_vs && sysctl -p"),
        (6, "options ip-vs conn_tab_bits=15"),
        (7, "install ip* /bin/true"),
        (8, "softdep nf_conntrack post: IP_VS"),
        (10, "blacklist ip_vs"),
    ]
    assert read.ignored == ("/etc/modprobe.d/ipvs.cfg",)
    assert "/etc/modprobe.d/ipvs.cfg" not in read.files


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_that_the_hook_names_is_read_like_a_sysctl_file(root: Path, shell: str) -> None:
    extra = put(root, "opt/ipvs/ours.conf", "net.ipv4.vs.run_estimation = 0\n")
    secret = put(root, "opt/secret.conf", "password = hunter2\n")
    put(
        root,
        "etc/modprobe.d/ipvs.conf",
        (f"install ip_vs /sbin/modprobe -i ip_vs && ( sysctl -p {extra}; cat {secret} )\n").replace(
            f"; cat {secret}", f" && cat {secret}"
        ),
    )
    put(root, "etc/modprobe.d/other.conf", f"install other sysctl -p {secret}\n")
    read = tree(root, shell)
    assert lines(read, "/opt/ipvs/ours.conf") == [(1, "net.ipv4.vs.run_estimation = 0")]
    assert "hunter2" not in repr(read)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "words",
    [
        "sysctl -p{}",
        "sysctl -q -p {}",
        "/sbin/sysctl --load={}",
        "/usr/sbin/sysctl -qp '{}'",
        '/bin/sh -c "sysctl -p {}"',
        "/lib/systemd/systemd-sysctl {}",
        "sysctl -e -f {}",
    ],
)
def test_the_hook_may_name_it_in_any_way(root: Path, shell: str, words: str) -> None:
    extra = put(root, "opt/ours.conf", "a.b = 1\n")
    put(root, "etc/modprobe.d/ipvs.conf", f"install ip-vs {words.format(extra)}\n")
    assert lines(tree(root, shell), "/opt/ours.conf") == [(1, "a.b = 1")]


@pytest.mark.parametrize("shell", SHELLS)
def test_udev_and_modules_load(root: Path, shell: str) -> None:
    put(root, "usr/lib/udev/rules.d/50-x.rules", 'KERNEL=="sda"\n')
    put(
        root,
        "usr/lib/udev/rules.d/90-ipvs.rules",
        '# ip_vs\nACTION=="add", \\\n KERNEL=="ip_vs", RUN+="/bin/true"\nKERNEL=="sdb"\n'
        'ACTION!="add", GOTO="end"\nLABEL="end"\n# LABEL\n',
    )
    put(root, "etc/udev/rules.d/90-ipvs.rules", 'KERNEL=="sdc"\n')  # hides the other
    (root / "run/udev/rules.d").mkdir(parents=True)
    (root / "run/udev/rules.d/90-ipvs.rules").symlink_to("/dev/null")
    put(root, "etc/modules-load.d/ipvs.conf", "# ip_vs\nip_vs_rr\nbr_netfilter\n")
    put(root, "etc/modules", "loop\nip_vs\n")
    read = tree(root, shell)
    assert lines(read, "/usr/lib/udev/rules.d/90-ipvs.rules") == [
        (2, 'ACTION=="add", KERNEL=="ip_vs", RUN+="/bin/true"'),
        (5, 'ACTION!="add", GOTO="end"'),
        (6, 'LABEL="end"'),
    ]
    assert lines(read, "/etc/udev/rules.d/90-ipvs.rules") == []
    assert read.files["/run/udev/rules.d/90-ipvs.rules"].masks
    assert "/usr/lib/udev/rules.d/50-x.rules" not in read.files
    assert lines(read, "/etc/modules-load.d/ipvs.conf") == [(2, "ip_vs_rr")]
    assert lines(read, "/etc/modules") == [(2, "ip_vs")]


@pytest.mark.parametrize("shell", SHELLS)
def test_keys_are_looked_up_as_the_loaders_spell_them(root: Path, shell: str) -> None:
    put(
        root,
        "etc/sysctl.conf",
        (
            "kernel.ostype = x\nkernel/ostype=x\n-kernel.osrelease=y\nkernel.nothing=1\n"
            "net.ipv4.conf.*.forwarding=1\nnet/ipv4.ip_forward=1\nno key\n../../etc/passwd=1\n"
            "net.ipv4.conf.lo/1.forwarding=1\nnet.ipv4/ip_forward=1\n =1\n"
        ),
    )
    assert tree(root, shell).keys == {
        "kernel.ostype": True, "kernel/ostype": True, "kernel.osrelease": True,
        "kernel.nothing": False, "net/ipv4.ip_forward": False,
        "net.ipv4.conf.lo/1.forwarding": False, "net.ipv4/ip_forward": False,
    }  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
def test_binary_content_and_huge_files(root: Path, shell: str) -> None:
    put(
        root,
        "etc/sysctl.d/10-binary.conf",
        b"a.b = \xff\xfe\x1b[2J\x1e\x07\n" + bytes(range(1, 10)) + b"\n",
    )
    put(root, "etc/sysctl.d/20-long.conf", "a.b = " + "x" * 10_000 + "\nc.d = 2\n")
    put(root, "etc/sysctl.d/30-large.conf", "a.b = 1\n" * 200_000)
    put(root, "etc/sysctl.d/40-after.conf", "e.f = 3\n")
    read = tree(root, shell)
    assert lines(read, "/etc/sysctl.d/10-binary.conf") == [
        (1, "a.b = \\xff\\xfe\x1b[2J?\x07"),
        (2, "\x01\x02\x03\x04\x05\x06\x07\x08\t"),
    ]
    long = lines(read, "/etc/sysctl.d/20-long.conf")
    assert long is not None
    assert long[0][1] == "a.b = " + "x" * 4090 + "[cut]"
    assert long[1] == (2, "c.d = 2")
    assert read.files["/etc/sysctl.d/30-large.conf"].lines is None
    assert read.unreadable == ("/etc/sysctl.d/30-large.conf: larger than 1 MiB",)
    assert lines(read, "/etc/sysctl.d/40-after.conf") == [(1, "e.f = 3")]


@pytest.mark.parametrize("shell", SHELLS)
def test_more_lines_than_a_section_holds_are_said_to_be_missing(root: Path, shell: str) -> None:
    put(root, "etc/sysctl.d/10-many.conf", f"a.b = {'x' * 90}\n" * 9_000)
    put(root, "etc/sysctl.d/20-after.conf", "net.ipv4.vs.run_estimation = 0\n")
    read = tree(root, shell)
    assert read.files["/etc/sysctl.d/10-many.conf"].lines is None
    assert len(read.unreadable) == 1 or read.files["/etc/sysctl.d/20-after.conf"].lines is None
    assert "more lines than the probe brings" in read.unreadable[0]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become nobody")
@pytest.mark.parametrize("shell", SHELLS)
def test_what_an_ordinary_user_may_not_read_is_said(root: Path, shell: str, tmp_path: Path) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    put(root, "etc/sysctl.d/10-a.conf", "a.b = 1\n")
    put(root, "etc/sysctl.d/20-secret.conf", "net.ipv4.vs.run_estimation = 1\n", 0o600)
    put(root, "etc/sysctl.d/30-c.conf", "c.d = 1\n")
    (root / "run/sysctl.d").mkdir(mode=0o700)
    read = tree(root, shell, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    assert lines(read, "/etc/sysctl.d/10-a.conf") == [(1, "a.b = 1")]
    assert lines(read, "/etc/sysctl.d/20-secret.conf") is None
    assert read.files["/etc/sysctl.d/20-secret.conf"].mode == 0o600
    third = read.files["/etc/sysctl.d/30-c.conf"]
    assert third.sha256 == hashlib.sha256(b"c.d = 1\n").hexdigest()
    assert set(read.unreadable) == {
        "/etc/sysctl.d/20-secret.conf: permission denied",
        "/run/sysctl.d: permission denied",
    }


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_reads_the_same(root: Path, awk: str, tmp_path: Path) -> None:
    put(root, "etc/sysctl.conf", b"a.b = \xc3\xa4\\n\\\n-x/y=2\n" + b"z" * 5000 + b"\nlast=1")
    put(root, "etc/modprobe.d/ipvs.conf", RECIPE + "install ip_vs sysctl \\\n -p\n")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    wrapper = bin_ / "awk"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(AWKS[awk])} "$@"\n')
    wrapper.chmod(0o755)
    sections = run(
        ("sh",), root=root, environment={"PATH": f"{bin_}:{os.environ['PATH']}"}, first=bin_
    )
    read = parse_config_files(sections)
    found = read.files[f"{root}/etc/sysctl.conf"].lines
    assert found is not None
    assert [line.number for line in found] == [1, 2, 3, 4]
    assert found[0].text == "a.b = ä\\n\\"
    hook = read.files[f"{root}/etc/modprobe.d/ipvs.conf"].lines
    assert hook is not None
    assert hook[1] == Line(2, "install ip_vs sysctl  -p")


@pytest.mark.parametrize("shell", SHELLS)
def test_files_that_no_loader_reads_are_told_where_they_concern_ip_vs(
    root: Path, shell: str
) -> None:
    off = "net.ipv4.vs.run_estimation = 0\n"
    put(root, "etc/sysctl.d/ipvs.cnf", off)
    put(root, "etc/sysctl.d/README.sysctl", "such as net.ipv4.vs.run_estimation\n")
    put(root, "etc/sysclt.d/90-ipvs.conf", off)
    put(root, "etc/modeprobd.d/ipvs.conf", RECIPE)
    put(root, "etc/modprobe.d.bak/back\\slash of ipvs", RECIPE)
    put(root, "etc/modprobe.d/ipvs.conf", RECIPE)
    put(root, "etc/modules-load.d/ipvs.conf", "ip_vs\n")
    put(root, "etc/syslog.d/remote.conf", "ip_vs messages\n")
    os.mkfifo(root / "etc/sysctl.d/pipe")
    told = tree(root, shell).ignored
    assert told == (
        "/etc/sysctl.d/ipvs.cnf",
        "/etc/sysclt.d/90-ipvs.conf",
        "/etc/modprobe.d.bak/back\\slash of ipvs",
        "/etc/modeprobd.d/ipvs.conf",
    )
    assert set(read_tree(root).ignored) == set(told)


@pytest.mark.parametrize("shell", SHELLS)
def test_no_more_of_a_misspelt_directory_is_told_than_its_bound(root: Path, shell: str) -> None:
    for number in range(30):
        put(root, f"etc/sysctld/{number}.conf", "net.ipv4.vs.run_estimation = 0\n")
    assert len(tree(root, shell).ignored) == 20
    assert len(read_tree(root).ignored) == 20
