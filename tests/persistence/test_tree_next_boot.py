"""What a file tree tells of its next boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.cli.explain import main
from ipvs_audit.persistence.tree_on_disk.next_boot import read_next_boot

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def put(top: Path, path: str, text: str) -> None:
    file = top / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_tree_tells_what_its_initramfs_loads(tmp_path: Path) -> None:
    assert read_next_boot(tmp_path).initramfs == ()
    assert not read_next_boot(tmp_path).dracut
    put(tmp_path, "etc/initramfs-tools/modules", "# ip_vs\n ip_vs_rr\n")
    put(tmp_path, "usr/lib/dracut/dracut.conf.d/50.conf", 'x=y\nforce_drivers+=" ip-vs "\n')
    put(tmp_path, "etc/dracut.conf.d/ipvs", 'force_drivers+=" ip_vs "\n')
    found = read_next_boot(tmp_path)
    assert found.initramfs == (
        "/etc/initramfs-tools/modules:2",
        "/usr/lib/dracut/dracut.conf.d/50.conf:2",
    )
    assert found.dracut


def test_explain_says_what_it_takes_for_granted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "etc/sysctl.d/90-ipvs.conf", "net.ipv4.vs.run_estimation = 0\n")
    put(tmp_path, "etc/modules-load.d/ipvs.conf", "ip_vs\n")
    main([str(tmp_path)])
    assert "is taken to have the key, and /etc to be kept" in capsys.readouterr().out
