"""What else sets the key, as the probe finds it in a made-up file tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe_runs import SHELLS, run

from ipvs_audit.snapshot.boot_files import SECTION, BootFile, BootFiles, parse_boot_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY = "/proc/sys/net/ipv4/vs/run_estimation"
SETS = "/sbin/sysctl -w net.ipv4.vs.run_estimation=0"


def put(root: Path, path: str, content: str, mode: int = 0o644) -> str:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(mode)
    return str(file)


def found(root: Path, shell: str = "sh", before: Sequence[str] = (), **more: object) -> BootFiles:
    sections = run(SHELLS[shell], root=root, before=before, **more)  # type: ignore[arg-type]
    return parse_boot_files(sections[SECTION])


def lines(file: BootFile) -> list[tuple[int, str]]:
    return [(line.number, line.text) for line in file.lines]
