"""Stands in for the kernel where a sandbox loads modules: no module ever reaches the real one.

seccomp(2) hands each init_module, finit_module and delete_module of the sandbox's programs to this
process, static ones as well. Loading ip_vs renames the loopback device of the sandbox's network
namespace from ``lo`` to ``vs``: its key ``net.ipv4.conf.vs.tag`` appears at 1, as
``net.ipv4.vs.run_estimation`` does, is an int of that namespace alone, and goes with the module.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import shutil
import socket
import struct
import threading
from typing import TYPE_CHECKING

from lab.oracle.fake_modules import DEPENDS

if TYPE_CHECKING:
    from pathlib import Path

_LOAD, _LOAD_FILE, _UNLOAD = "init_module", "finit_module", "delete_module"
_SYSCALLS = {
    "x86_64": (0xC000003E, 317, {175: _LOAD, 313: _LOAD_FILE, 176: _UNLOAD}),
    "aarch64": (0xC00000B7, 277, {105: _LOAD, 273: _LOAD_FILE, 106: _UNLOAD}),
}
"""AUDIT_ARCH, the number of seccomp(2), and those that are taken over."""

# include/uapi/linux/seccomp.h and bpf_common.h
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTIFICATION, _RESPONSE = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_SET_NAME = 0x8923  # SIOCSIFNAME
_NAME = re.compile(rb"\0name=(\w+)\0")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def listen() -> int:
    """Install the filter in this process and all that it starts; gives the listener's descriptor.

    Raises:
        OSError: the kernel has no seccomp notifications (they came with Linux 5.0).
    """
    arch, seccomp, taken = _SYSCALLS[os.uname().machine]
    code = [(_LOAD_WORD, 0, 0, 4), (_JUMP_EQUAL, 0, len(taken) + 1, arch), (_LOAD_WORD, 0, 0, 0)]
    code += [(_JUMP_EQUAL, len(taken) - place, 0, nr) for place, nr in enumerate(taken)]
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOTIFY)]
    packed = b"".join(struct.pack("=HBBI", *step) for step in code)
    program = _Program(len(code), packed)
    libc = ctypes.CDLL(None, use_errno=True)
    listener = libc.syscall(seccomp, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.byref(program))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return int(listener)


class FakeKernel:
    """The modules of one sandbox.

    Args:
        proc: its /proc; ``modules`` there is a file of ours.
        modules: that file.
        sys: the folder that its programs see as /sys.
    """

    def __init__(self, proc: Path, modules: Path, sys: Path) -> None:
        self.proc, self._modules, self._sys = proc, modules, sys / "module"
        self._conf = proc / "sys/net/ipv4/conf"
        self._lock = threading.Lock()
        self.loaded: list[str] = []

    def serve(self, listener: int) -> None:
        """Answer what the sandbox's programs ask, in a thread of its own, until it ends."""
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    @property
    def value(self) -> str:
        """The key as ``cat`` shows it; ``absent`` where there is none."""
        try:
            return (self._conf / "vs/tag").read_text().strip()
        except FileNotFoundError:
            return "absent"

    @value.setter
    def value(self, number: int) -> None:
        (self._conf / "vs/tag").write_text(f"{number}\n")

    def reset(self) -> None:
        """Unload everything."""
        with self._lock:
            for name in reversed(self.loaded[:]):
                self._unload(name)

    def load_all(self, name: str) -> None:
        """Load a module with what it needs, whatever modprobe's configuration says."""
        for needed in DEPENDS[name]:
            self.load_all(needed)
        with self._lock:
            self._load(name)

    def _serve(self, listener: int) -> None:
        _, _, taken = _SYSCALLS[os.uname().machine]
        while True:
            asked = bytearray(_NOTIFICATION.size)
            try:
                fcntl.ioctl(listener, _RECEIVE, asked)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                return
            number, pid, _, nr, _, _, *arguments = _NOTIFICATION.unpack(asked)
            try:
                failed = self._answer(pid, taken[nr], arguments)
            except (OSError, ValueError, KeyError, IndexError):
                failed = errno.ENOEXEC
            try:
                fcntl.ioctl(listener, _SEND, _RESPONSE.pack(number, 0, -failed, 0))
            except OSError:
                continue  # who asked is gone

    def _answer(self, pid: int, call: str, arguments: list[int]) -> int:
        with self._lock:
            if call == _LOAD_FILE:
                path = (self.proc / f"{pid}/fd/{arguments[0]}").readlink()
                return self._load(path.name.removesuffix(".ko"))
            with (self.proc / f"{pid}/mem").open("rb", buffering=0) as memory:
                memory.seek(arguments[0])
                if call == _LOAD:
                    return self._load(_NAME.findall(memory.read(arguments[1]))[0].decode())
                return self._unload(memory.read(64).partition(b"\0")[0].decode())

    def _load(self, name: str) -> int:
        if name in self.loaded:
            return errno.EEXIST
        if not set(DEPENDS[name]) <= set(self.loaded):
            return errno.ENOENT
        if name == "ip_vs":
            (self._conf / "lo/tag").write_text("1\n")
            _rename("lo", "vs")
        (self._sys / name / "holders").mkdir(parents=True)
        (self._sys / name / "initstate").write_text("live\n")
        (self._sys / name / "refcnt").write_text("0\n")
        self.loaded.append(name)
        self._list()
        return 0

    def _unload(self, name: str) -> int:
        if name not in self.loaded:
            return errno.ENOENT
        if any(name in DEPENDS[other] for other in self.loaded):
            return errno.EWOULDBLOCK
        if name == "ip_vs":
            _rename("vs", "lo")
        shutil.rmtree(self._sys / name)
        self.loaded.remove(name)
        self._list()
        return 0

    def _list(self) -> None:
        lines = [f"{name} 16384 0 - Live 0x0000000000000000\n" for name in self.loaded]
        self._modules.write_text("".join(lines))


def _rename(old: str, new: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_NAME, struct.pack("16s16s", old.encode(), new.encode()))
