"""What the probe tells of the programs that hooks and rules name, and of who loads modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from probe_runs import SHELLS, run

from ipvs_audit.snapshot import GarbledEvidenceError, Section
from ipvs_audit.snapshot.programs import SECTION, AtPath, Programs, parse_programs

RELEASE = Path("/proc/sys/kernel/osrelease").read_text().strip()


def parse(text: str) -> Programs:
    return parse_programs({SECTION: Section(SECTION, "", text, None, 1.0)})


def hook(shell: str, root: Path, command: str, name: str = "ip_vs") -> Programs:
    (root / "etc/modprobe.d").mkdir(parents=True)
    (root / "etc/modprobe.d/ipvs.conf").write_text(f"install {name} {command}\n")
    return parse_programs(run(SHELLS[shell], root=root))


@pytest.mark.parametrize("shell", SHELLS)
def test_what_stands_at_the_paths_of_a_hook(tmp_path: Path, shell: str) -> None:
    (tmp_path / "tool").touch(0o755)
    (tmp_path / "plain").touch(0o644)
    (tmp_path / "dangling").symlink_to("nowhere")
    names = "tool", "plain", "dangling", "absent", "no/where", ""
    found = hook(shell, tmp_path, " ; ".join(f"{tmp_path}/{name}" for name in names))
    states = [at.state for name in names if (at := found.at(f"{tmp_path}/{name}")) is not None]
    assert states == ["program", "file", "dangling", "absent", "nowhere", "directory"]
    assert found.at(f"{tmp_path}/absent") == AtPath("absent", writable=True)
    assert found.locate(f"{tmp_path}/tool").there is True
    assert found.locate(f"{tmp_path}/plain").there is False


@pytest.mark.parametrize("shell", SHELLS)
def test_words_are_taken_apart_as_a_shell_does(tmp_path: Path, shell: str) -> None:
    command = (
        f"sh -c '{tmp_path}/a>{tmp_path}/b 2>&1'&&\"{tmp_path}/c\"|({tmp_path}/d);{tmp_path}/\\e"
    )
    found = hook(shell, tmp_path, command)
    assert {path for path in found.paths if path.startswith(f"{tmp_path}/")} == {
        f"{tmp_path}/{name}" for name in "abcde"
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_a_hook_whose_name_kmod_alone_reads_is_brought(tmp_path: Path, shell: str) -> None:
    found = hook(shell, tmp_path, f"{tmp_path}/a", name="ip\\_vs")
    assert found.at(f"{tmp_path}/a") is not None


@pytest.mark.parametrize("shell", SHELLS)
def test_files_named_alias_are_brought_from_modprobe_d_alone(tmp_path: Path, shell: str) -> None:
    """kmod up to 32 reads them, and any directive in them."""
    for name in ("modprobe.d/a.alias", "modprobe.d/b.conf", "sysctl.d/c.alias"):
        (tmp_path / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "etc" / name).write_text(f"install ip_vs {tmp_path}/of-{name[11]}\n")
    sections = run(SHELLS[shell], root=tmp_path)
    assert "modprobe.d/a.alias" in sections["modprobe"].output
    assert "file " not in sections["sysctl"].output
    assert parse_programs(sections).at(f"{tmp_path}/of-a") is not None


@pytest.mark.parametrize("shell", SHELLS)
def test_bare_names_are_looked_up_in_the_search_path(tmp_path: Path, shell: str) -> None:
    found = hook(shell, tmp_path, "cat x | no-such-program")
    assert found.locate("cat").there is True
    assert found.locate("no-such-program").there is False
    assert found.locate("ls").there is None


@pytest.mark.parametrize("shell", SHELLS)
def test_the_host_s_own_modprobe_is_recognised_by_any_path(tmp_path: Path, shell: str) -> None:
    own = shutil.which("modprobe", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if own is None:
        pytest.skip("needs modprobe")
    (tmp_path / "linked").symlink_to(own)
    (tmp_path / "other").touch(0o755)
    found = hook(shell, tmp_path, f"{tmp_path}/linked; {tmp_path}/other")
    assert found.locate(f"{tmp_path}/linked").same == "modprobe"
    assert found.locate(f"{tmp_path}/other").same == ""
    assert found.locate("/sbin/modprobe").same == "modprobe"


@pytest.mark.parametrize("shell", SHELLS)
def test_other_modules_are_looked_up_in_modules_dep(tmp_path: Path, shell: str) -> None:
    modules = tmp_path / "lib/modules" / RELEASE
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text("kernel/a/some-mod.ko.xz: kernel/b.ko\n")
    (modules / "modules.builtin").write_text("kernel/a/in_built.ko\n")
    command = "modprobe -a some_mod in-built && modprobe nf_gone; sysctl -p some_file"
    found = hook(shell, tmp_path, command)
    assert found.modules == {"some_mod": True, "in_built": True, "nf_gone": False}


@pytest.mark.parametrize("shell", SHELLS)
def test_soft_dependencies_of_ip_vs_are_looked_up_too(tmp_path: Path, shell: str) -> None:
    """Where one exists, modprobe runs no hook."""
    modules = tmp_path / "lib/modules" / RELEASE
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text("kernel/a/some-mod.ko.xz: kernel/b.ko\n")
    (tmp_path / "etc/modprobe.d").mkdir(parents=True)
    lines = "softdep ip-vs pre: some-mod nf_gone post: ip_vs\nsoftdep ip_vs_rr pre: a\n"
    (tmp_path / "etc/modprobe.d/a.conf").write_text(lines)
    found = parse_programs(run(SHELLS[shell], root=tmp_path))
    assert found.modules == {"some_mod": True, "nf_gone": False}


@pytest.mark.parametrize("shell", SHELLS)
def test_programs_of_udev_rules_are_told_of(tmp_path: Path, shell: str) -> None:
    rules = tmp_path / "etc/udev/rules.d"
    rules.mkdir(parents=True)
    rule = f'ACTION=="add", KERNEL=="ip_vs", RUN+="{tmp_path}/a -p {tmp_path}/b"\n'
    (rules / "90.rules").write_text(rule)
    found = parse_programs(run(SHELLS[shell], root=tmp_path))
    assert found.at(f"{tmp_path}/a") == AtPath("absent", writable=True)
    assert found.at(f"{tmp_path}/b") is not None


@pytest.mark.parametrize("shell", SHELLS)
def test_bin_sh_is_named(tmp_path: Path, shell: str) -> None:
    real = Path(os.path.realpath("/bin/sh")).name
    assert parse_programs(run(SHELLS[shell], root=tmp_path)).shell == real


@pytest.mark.parametrize("shell", SHELLS)
def test_a_kube_proxy_of_the_host_has_its_root(tmp_path: Path, shell: str) -> None:
    program = tmp_path / "kube-proxy"
    shutil.copy(shutil.which("bash") or "", program)
    assert module_loaders(shell, [str(program), "-c", "read -t 60 x"]) == {"kube-proxy": False}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_kube_proxy_in_a_container_has_another_root(tmp_path: Path, shell: str) -> None:
    (tmp_path / "usr").mkdir()
    for name in ("lib", "lib64"):
        (tmp_path / name).symlink_to(f"usr/{name}")
    shutil.copy(shutil.which("bash") or "", tmp_path / "kube-proxy")
    enter = (
        f"mount --bind /usr {tmp_path}/usr && exec chroot {tmp_path} /kube-proxy -c 'read -t 60 x'"
    )
    argv = ["unshare", "-m", "sh", "-c", enter]
    assert module_loaders(shell, argv) == {"kube-proxy": True}


def module_loaders(shell: str, argv: list[str]) -> dict[str, bool | None]:
    """Who loads modules, while a process runs."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        comm = Path(f"/proc/{process.pid}/comm")
        until = time.monotonic() + 10
        while comm.read_text() != "kube-proxy\n" and time.monotonic() < until:
            time.sleep(0.02)
        found = parse_programs(run(SHELLS[shell]))
        process.kill()
    return dict(found.module_loaders)


def test_of_several_processes_the_one_in_a_container_counts() -> None:
    own, other, unknown = (f"loads keepalived {root}\n" for root in ("own", "other", "unknown"))
    assert parse(f"{own}{other}{own}end\n").module_loaders == {"keepalived": True}
    assert parse(f"{own}{unknown}end\n").module_loaders == {"keepalived": None}
    assert parse(f"{unknown}{other}{unknown}end\n").module_loaders == {"keepalived": True}


def test_a_program_in_usr_local_alone_is_not_found_by_the_kernel_s_modprobe() -> None:
    local = "path program w - /usr/local/sbin/tool\n"
    assert parse(f"name tool\n{local}end\n").locate("tool").there is None
    usual = "path program w - /usr/bin/tool\n"
    assert parse(f"name tool\n{local}{usual}end\n").locate("tool").there is True


def test_another_sysctl_in_usr_local_is_not_the_host_s() -> None:
    local = "path program w - /usr/local/sbin/sysctl\n"
    usual = "path program w sysctl /usr/sbin/sysctl\n"
    assert parse(f"name sysctl\n{usual}end\n").locate("sysctl").same == "sysctl"
    assert parse(f"name sysctl\n{usual}{local}end\n").locate("sysctl").same == ""


def test_nothing_is_known_without_the_section() -> None:
    found = parse_programs({})
    assert found.locate("/sbin/sysctl").there is None
    assert found.helper is None


@pytest.mark.parametrize("text", [
    "", "path file w - /x\n", "path odd w - /x\nend\n", "path file w - x\nend\n",
    "module x maybe\nend\n", "loads x\nend\n", "what\nend\n",
])  # fmt: skip
def test_garbled(text: str) -> None:
    with pytest.raises(GarbledEvidenceError):
        parse(text)
