"""What the probe says of ip_vs: its file, and who changed it."""

from __future__ import annotations

from pathlib import Path

import pytest
from probe_runs import SHELLS, run

from ipvs_audit.snapshot.kernel import Module, parse_module
from ipvs_audit.snapshot.section import Section

RELEASE = Path("/proc/sys/kernel/osrelease").read_text().strip()
OWN, FOREIGN = "kernel/net/netfilter/ipvs/ip_vs.ko", "updates/dkms/ip_vs.ko"


def put(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def found(root: Path, shell: str = "sh") -> Module:
    section = run(SHELLS[shell], root=root)["module"]
    return parse_module(Section("module", "", section.output.replace(str(root), ""), None, 1.0))


@pytest.mark.parametrize("shell", SHELLS)
def test_live_patches_of_ip_vs_are_named_and_others_are_not(tmp_path: Path, shell: str) -> None:
    patches = "sys/kernel/livepatch"
    put(tmp_path, f"{patches}/kpatch_1/ip_vs/patched", "1\n")
    put(tmp_path, f"{patches}/kpatch_1/enabled", "1\n")
    put(tmp_path, f"{patches}/kpatch_2/ip_vs/patched", "1\n")
    put(tmp_path, f"{patches}/kpatch_2/enabled", "0\n")
    put(tmp_path, f"{patches}/kpatch_3/vmlinux/ip_vs_start_estimator,1", "")
    put(tmp_path, f"{patches}/kpatch_4/vmlinux/tcp_v4_rcv,1", "")
    put(tmp_path, f"{patches}/kpatch_5/nf_tables/patched", "1\n")
    assert found(tmp_path, shell).livepatches == ("kpatch_1", "kpatch_3")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_module_that_is_not_the_kernels_own_is_named(tmp_path: Path, shell: str) -> None:
    folder = f"lib/modules/{RELEASE}"
    put(tmp_path, f"{folder}/{FOREIGN}", "no such key")
    put(tmp_path, f"{folder}/{OWN}", "run_estimation")
    put(tmp_path, f"{folder}/modules.dep", f"{FOREIGN}: kernel/x.ko\n")
    one = found(tmp_path, shell)
    assert (one.file, one.knows_switch) == (f"/{folder}/{FOREIGN}", False)
    assert "updates/" in one.origin
    put(tmp_path, f"{folder}/modules.dep", f"{OWN}: kernel/x.ko\n")
    one = found(tmp_path, shell)
    assert (one.file, one.knows_switch, one.origin) == (f"/{folder}/{OWN}", True, "")


def test_a_loaded_module_from_elsewhere_is_named_by_its_taint() -> None:
    text = "initstate=live\ntaint=OE\nexists=/proc/net/ip_vs\n"
    one = parse_module(Section("module", "", text, None, 1.0))
    assert "out of the kernel's tree" in one.origin
    plain = parse_module(Section("module", "", text.replace("OE", "E"), None, 1.0))
    assert plain.origin == ""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("names", "symbols"),
    [
        ("estimation_timer\0run_estimation", ("estimation_timer",)),
        ("run_estimation\0estimation_work\0.text", ("estimation_work",)),
        ("__pfx_ip_vs_estimation_kthread\0ip_vs_estimation_kthread", ("ip_vs_estimation_kthread",)),
        # Another vendor's key and a part of a function are no form of the estimator.
        ("estimation_timer_work\0ip_vs_estimation_timer", ()),
    ],
)
def test_the_module_file_names_the_function_that_estimates(
    tmp_path: Path, shell: str, names: str, symbols: tuple[str, ...]
) -> None:
    put(tmp_path, f"lib/modules/{RELEASE}/{OWN}", f"\x7fELF\0{names}\0")
    assert found(tmp_path, shell).symbols == symbols
