"""Kernel modules that no kernel ever sees: files that depmod and modprobe take for modules.

Just enough of ELF (elf(5)) for kmod: the section ``.modinfo``, the names that a module exports
(``__ksymtab_strings``) and those that it needs (undefined in ``.symtab``).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DEPENDS = {
    "libcrc32c": (),
    "nf_defrag_ipv4": (),
    "nf_conntrack": ("libcrc32c", "nf_defrag_ipv4"),
    "nf_nat": ("nf_conntrack",),
    "ip_vs": ("nf_conntrack", "libcrc32c"),
    "ip_vs_rr": ("ip_vs",),
    "ip_vs_wrr": ("ip_vs",),
    "ip_vs_sh": ("ip_vs",),
}
"""Each module with those that it needs, as in Linux 6.1."""

FOLDER = "kernel/net"
_HEADER, _SECTION, _SYMBOL = "<16sHHIQQQIHHHHHH", "<IIQQQQIIQQ", "<IBBHQQ"
_PROGBITS, _SYMTAB, _STRTAB = 1, 2, 3
_GLOBAL = 0x10


def write_modules(top: Path) -> None:
    """Write all modules below a folder such as ``/lib/modules/6.1.0``; depmod is to follow."""
    folder = top / FOLDER
    folder.mkdir(parents=True)
    for name, needed in DEPENDS.items():
        (folder / f"{name}.ko").write_bytes(_module(name, needed))
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        (top / name).touch()


def _module(name: str, needed: tuple[str, ...]) -> bytes:
    strings, symbols = b"\0", struct.pack(_SYMBOL, 0, 0, 0, 0, 0, 0)
    for other in needed:
        symbols += struct.pack(_SYMBOL, len(strings), _GLOBAL, 0, 0, 0, 0)
        strings += f"{other}_symbol\0".encode()
    info = f"license=GPL\0name={name}\0depends={','.join(needed)}\0".encode()
    sections = (
        (b".modinfo", _PROGBITS, info, 0, 0),
        (b"__ksymtab_strings", _PROGBITS, f"{name}_symbol\0".encode(), 0, 0),
        (b".strtab", _STRTAB, strings, 0, 0),
        (b".symtab", _SYMTAB, symbols, 3, struct.calcsize(_SYMBOL)),
    )
    names = b"\0" + b"".join(section[0] + b"\0" for section in sections) + b".shstrtab\0"
    body, table = b"", struct.pack(_SECTION, *([0] * 10))
    start = struct.calcsize(_HEADER)
    for label, kind, content, link, entry in (*sections, (b".shstrtab", _STRTAB, names, 0, 0)):
        place = names.index(b"\0" + label + b"\0") + 1
        table += struct.pack(
            _SECTION, place, kind, 0, 0, start + len(body), len(content), link, 1, 8, entry
        )
        body += content + b"\0" * (-len(content) % 8)
    header = struct.pack(
        _HEADER,
        b"\x7fELF\x02\x01\x01",
        *(1, 62, 1, 0, 0, start + len(body), 0, start, 0, 0, 64),
        *(len(sections) + 2, len(sections) + 1),
    )
    return header + body + table
