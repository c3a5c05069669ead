"""The inside of a sandbox: ``python -m lab.oracle.sandbox ROOT WORK``, started by native.py.

It runs in new mount, network and PID namespaces. Each case gets a fresh overlay of the userland;
/proc is read-only but for ``sys/net/ipv4``, which is the sandbox's own namespace's, so nothing
that a loader writes reaches this machine. Requests and answers are lines of JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from lab.oracle.fake_kernel import FakeKernel, listen
from lab.oracle.fake_modules import write_modules

SECONDS = 20.0
MARK = 77
#: As the kernel sets it for modprobe (kernel/module/kmod.c).
_ENVIRONMENT = {"PATH": "/sbin:/bin:/usr/sbin:/usr/bin", "HOME": "/", "TERM": "linux"}
_BIND, _REMOUNT, _READ_ONLY, _RECURSIVE, _DETACH = 4096, 32, 1, 16384, 2
_SUBREAPER, _DROP_FROM_BOUNDING_SET = 36, 24
#: What no case may do to this machine: CAP_SYS_RAWIO, CAP_SYS_ADMIN (with it a /proc that can be
#: written), CAP_SYS_BOOT, CAP_SYS_TIME, CAP_MKNOD (the machine's disks) and CAP_SYSLOG;
#: include/uapi/linux/capability.h.
_NOT_CONTAINED = (17, 21, 22, 25, 27, 34)
_TIMED_OUT = 124
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Serve requests until standard input ends."""
    lower, work = Path(sys.argv[1]), Path(sys.argv[2])
    _mount("tmpfs", work, "tmpfs")
    for name in ("proc", "sys/module", "dev", "root", "base"):
        (work / name).mkdir(parents=True)
    kernel = _make_kernel(work)
    ours, theirs = socket.socketpair()
    if not os.fork():
        ours.close()
        _run_programs(theirs, work)
    theirs.close()
    _, listeners, _, _ = socket.recv_fds(ours, 1, 1)
    kernel.serve(listeners[0])
    sandbox = _Sandbox(lower, work, kernel, ours)
    sandbox.make_modules()
    for line in sys.stdin:
        print(json.dumps(sandbox.tried(json.loads(line))), flush=True)


def _make_kernel(work: Path) -> FakeKernel:
    proc, modules = work / "proc", work / "modules"
    modules.touch()
    _mount("proc", proc, "proc")
    _bind(proc / "sys/net/ipv4", proc / "sys/net/ipv4")
    if (proc / "modules").exists():  # a kernel without modules has none
        _bind(modules, proc / "modules")
    _mount("", proc, "", _REMOUNT | _BIND | _READ_ONLY)
    for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("urandom", 9)):
        os.mknod(work / "dev" / name, 0o020666, os.makedev(1, minor))
        (work / "dev" / name).chmod(0o666)
    return FakeKernel(proc, modules, work / "sys")


class _Sandbox:
    """One userland, case after case."""

    def __init__(
        self, lower: Path, work: Path, kernel: FakeKernel, programs: socket.socket
    ) -> None:
        self._lower, self._work, self._kernel = lower, work, kernel
        self._programs = programs.makefile("rw")
        self._root = work / "root"
        self._mounted = False

    def make_modules(self) -> None:
        """Let the userland's own depmod index the modules, for all cases."""
        release = os.uname().release
        self._fresh({}, {})
        write_modules(self._root / "usr/lib/modules" / release)
        if os.path.lexists(self._root / "usr/sbin/depmod"):
            self._run("/usr/sbin/depmod", "-a")
        made = self._work / "upper/usr/lib/modules"
        shutil.copytree(made, self._work / "base/usr/lib/modules")

    def tried(self, case: dict[str, Any]) -> dict[str, Any]:
        """What every loader makes of a case.

        Args:
            case: ``files``, ``links``, ``trigger``, ``softdep``.

        Returns:
            by the name of the try its ``[value, status]``; ``shown`` is what modprobe shows.
        """
        self._fresh(case["files"], case["links"])
        self._write_softdep(case["softdep"])
        found: dict[str, Any] = {}
        self._run("/sbin/modprobe", "--show-depends", "ip_vs", output=True)
        found["shown"] = (self._work / "output").read_text(errors="replace").splitlines()
        status = self._run("/sbin/modprobe", case["trigger"])
        found["reload"] = [self._kernel.value, status]
        for name, argv in (
            ("sysctl-p", ("/sbin/sysctl", "-p")),
            ("sysctl-system", ("/sbin/sysctl", "--system")),
            ("systemd-sysctl", ("/lib/systemd/systemd-sysctl",)),
        ):
            if self._kernel.value == "absent":
                self._kernel.load_all("ip_vs")
            self._kernel.value = MARK
            status = self._run(*argv)
            found[name] = [self._kernel.value, status]
        found["boot"] = self._booted(case)
        return found

    def _booted(self, case: dict[str, Any]) -> list[Any]:
        """The value after what a boot runs, in its order; ip_vs is loaded where that did not."""
        kept = {path: text for path, text in case["files"].items() if not path.startswith("run/")}
        links = {path: text for path, text in case["links"].items() if not path.startswith("run/")}
        self._fresh(kept, links)
        self._write_softdep(case["softdep"])
        self._run("/lib/systemd/systemd-modules-load")
        self._run("/lib/systemd/systemd-sysctl")
        status = 0
        if self._kernel.value == "absent":
            status = self._run("/sbin/modprobe", case["trigger"])
        return [self._kernel.value, status]

    def _write_softdep(self, softdep: str) -> None:
        if softdep:
            path = f"usr/lib/modules/{os.uname().release}/modules.softdep"
            (self._root / path).write_text(f"softdep ip_vs {softdep}\n")

    def _fresh(self, files: dict[str, str], links: dict[str, str]) -> None:
        self._kernel.reset()
        if self._mounted:
            _unmount(self._root)
        for name in ("upper", "overlay"):
            shutil.rmtree(self._work / name, ignore_errors=True)
            (self._work / name).mkdir()
        for path, text in files.items():
            file = self._work / "upper" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        for path, target in links.items():
            link = self._work / "upper" / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        options = (
            f"lowerdir={self._work}/base:{self._lower},"
            f"upperdir={self._work}/upper,workdir={self._work}/overlay"
        )
        _mount("overlay", self._root, "overlay", 0, options)
        self._mounted = True
        for name in ("proc", "sys", "dev"):
            _bind(self._work / name, self._root / name)

    def _run(self, *argv: str, output: bool = False) -> int:
        self._programs.write(json.dumps([output, *argv]) + "\n")
        self._programs.flush()
        return int(self._programs.readline())


def _run_programs(requests: socket.socket, work: Path) -> None:
    """Start programs in the root, one after the other, under the filter; never returns."""
    socket.send_fds(requests, [b"."], [listen()])
    _libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    drop_capabilities()
    null = os.open("/dev/null", os.O_RDWR)
    with requests.makefile("rw") as lines:
        for line in lines:
            output, *argv = json.loads(line)
            child = os.fork()
            if not child:
                out = null
                if output:
                    out = os.open(work / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                for place, file in enumerate((null, out, out)):
                    os.dup2(file, place)
                os.closerange(3, 64)
                os.setsid()
                os.chroot(work / "root")
                os.chdir("/")
                try:
                    os.execve(argv[0], argv, _ENVIRONMENT)  # noqa: S606
                finally:
                    os._exit(127)
            lines.write(f"{_status(child)}\n")
            lines.flush()
    os._exit(0)


def drop_capabilities() -> None:
    """Take from programs that start later what no namespace contains: clock, disks, reboot."""
    for capability in _NOT_CONTAINED:
        if _libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), f"capability {capability}")


def _status(child: int) -> int:
    """The exit status of a program, once all that it left in the background has ended too."""
    status, until = _TIMED_OUT, time.monotonic() + SECONDS
    pause = 0.0002
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == child:
            status = os.waitstatus_to_exitcode(ended)
        elif not pid:
            if time.monotonic() > until:
                os.kill(-1, signal.SIGKILL)  # all but the first process of the PID namespace and us
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)


def _bind(source: Path, target: Path) -> None:
    _mount(str(source), target, "", _BIND | _RECURSIVE)


def _mount(source: str, target: Path, kind: str, flags: int = 0, options: str = "") -> None:
    words = (source, str(target), kind, options)
    source_c, target_c, kind_c, options_c = (word.encode() or None for word in words)
    if _libc.mount(source_c, target_c, kind_c, ctypes.c_ulong(flags), options_c):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def _unmount(target: Path) -> None:
    if _libc.umount2(str(target).encode(), _DETACH):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


if __name__ == "__main__":
    main()
