"""What the next boot changes: another kernel, ip_vs in the initramfs, an /etc that is not kept."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.persistence.early_loading import find_early_load
from ipvs_audit.persistence.run_files import without_files
from ipvs_audit.snapshot.programs import AtPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Accepts, Prediction
    from ipvs_audit.snapshot.next_boot import BootKernel, NextBoot

#: What an initramfs mounts with ``/``; mounts of /etc are looked at on their own.
_WITH_ROOT = (
    *("/etc/", "/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/"),
    *("/run/", "/dev/", "/proc/", "/sys/"),
)


def by_next_boot(
    config: HostConfig, predict: Callable[[HostConfig], Prediction], accepts: Accepts
) -> Prediction:
    """A prediction for the kernel and the files that the next boot will have.

    Where a one-shot entry boots another kernel first, the kernel with the worse result decides. On
    a tree on disk, where nothing of this is known, the prediction stays as it is.

    Args:
        config: the files as they are now.
        predict: the prediction for files and a kernel.
        accepts: the values that the policy accepts.
    """
    boot = config.next_boot
    if boot is None or not config.needs_module:
        return predict(config)
    found = [
        _on(kernel, predict(_with_kernel(_with_words(config, kernel.words), kernel)), accepts)
        for kernel in boot.kernels
    ]
    worst = min(found or [predict(config)], key=lambda one: _RANKS[one.holds(accepts)])
    if config.tree.cmdline and not any(one.words is not None for one in boot.kernels):
        worst = _by_either_command_line(config, predict, worst, accepts)
    worst = _with_initramfs(config, worst, accepts)
    notes = [*worst.notes]
    if not boot.others and boot.summary:
        notes.append(boot.summary)
    if boot.read_only:
        notes.append(f"{boot.read_only} is mounted read-only: files under /etc cannot be changed")
    doubt = boot.volatile or boot.kexec
    if worst.holds(accepts) and (doubt or (doubt := _elsewhere(config, boot, predict, accepts))):
        worst = replace(worst, doubt=doubt)
    return replace(worst, notes=tuple(notes))


def _elsewhere(
    config: HostConfig,
    boot: NextBoot,
    predict: Callable[[HostConfig], Prediction],
    accepts: Accepts,
) -> str:
    """Why files that decide may come too late: they are links to what is mounted later in a boot.

    systemd-modules-load and udev do not wait for the mounts of /etc/fstab.
    """
    files = [one for one in config.tree.files.values() if one.real and _may_be_late(one.real, boot)]
    if files and not predict(without_files(config, tuple(one.path for one in files))).holds(
        accepts
    ):
        place = f"{files[0].path} is a link to {files[0].real}, and whether that"
        if files[0].path == files[0].real:
            place = f"whether {files[0].path}"
        return f"{place} is mounted when a boot loads ip_vs is not known; {_SETTLES_FILE}"
    early = find_early_load(config).source
    programs = config.programs
    late = [path for path, at in programs.paths.items() if at.exists and _may_be_late(path, boot)]
    if not early or not late:
        return ""
    hidden = {**programs.paths, **dict.fromkeys(late, AtPath("hidden"))}
    if predict(replace(config, programs=replace(programs, paths=hidden))).holds(accepts):
        return ""
    return (
        f"whether {late[0]}, which a hook or a udev rule names, is mounted when {early} loads ip_vs"
        " is not known; a program in /usr/sbin settles it"
    )


_SETTLES_FILE = "a file of its own in /etc settles it"


def _may_be_late(path: str, boot: NextBoot) -> bool:
    """Whether a path is on a file system that is mounted after / and /usr."""
    points = ("/",) if boot.points is None else boot.points
    if path.startswith(_WITH_ROOT):  # an initramfs mounts /usr, and nothing below it
        points = tuple(point for point in points if point.startswith("/usr/"))
    return any(path.startswith(f"{point.rstrip('/')}/") for point in points)


@lru_cache(maxsize=256)
def _with_words(config: HostConfig, words: tuple[str, ...] | None) -> HostConfig:
    """The same under another kernel command line; None for one that cannot be told."""
    if words is None or words == config.tree.cmdline:
        return config
    return replace(config, tree=replace(config.tree, cmdline=words))


def _by_either_command_line(
    config: HostConfig,
    predict: Callable[[HostConfig], Prediction],
    prediction: Prediction,
    accepts: Accepts,
) -> Prediction:
    """A doubt where the result rests on words of a command line that the next boot may not have."""
    if not prediction.holds(accepts) or predict(_with_words(config, ())).holds(accepts):
        return prediction
    words = " ".join(config.tree.cmdline)
    doubt = (
        f"this rests on the kernel command line ({words}), and whether the next boot has it cannot "
        "be told"
    )
    return replace(prediction, doubt=doubt)


#: What a prediction says of the value, worst first.
_RANKS = {False: 0, None: 1, True: 2}


@lru_cache(maxsize=256)
def _with_kernel(config: HostConfig, kernel: BootKernel) -> HostConfig:
    """The same files under another kernel, for which modprobe was not asked what a load runs."""
    if kernel.running:
        return config
    asked = config.asked
    if asked is not None:
        answers = replace(asked.answers, load=None, dependent_load=None)
        asked = replace(asked, answers=answers)
    return replace(
        config,
        asked=asked,
        kernel=kernel.release,
        module=kernel.module,
        has_switch=kernel.knows_switch,
        softdep=kernel.softdep,
    )


def _on(kernel: BootKernel, prediction: Prediction, accepts: Accepts) -> Prediction:
    """The same, saying which kernel it speaks of."""
    if kernel.running:
        return prediction
    if kernel.module == "absent":
        return replace(
            prediction, value=None, because=f"{kernel}: it has no ip_vs", doubt="", fault=""
        )
    doubt = prediction.doubt or (kernel.doubt if prediction.holds(accepts) else "")
    return replace(
        prediction,
        because=f"{kernel}; {prediction.because}",
        doubt=doubt and (doubt if doubt == kernel.doubt else f"{kernel}; {doubt}"),
        fault=prediction.fault and f"{kernel}; {prediction.fault}",
    )


#: dracut.cmdline(7), systemd-modules-load.service(8): where the initramfs holds the module.
_IN_INITRAMFS = re.compile(r"rd\.(?:driver\.(?:pre|post)|modules[-_]load)=.*\bip[-_]vs")


def _words(config: HostConfig, boot: NextBoot) -> tuple[str, ...]:
    """The words of every kernel command line that a boot may have."""
    return (*config.tree.cmdline, *(word for one in boot.kernels for word in one.words or ()))


def _with_initramfs(config: HostConfig, prediction: Prediction, accepts: Accepts) -> Prediction:
    """What changes where the initramfs loads ip_vs: no hook sets the value then.

    dracut and initramfs-tools copy modprobe.d into it, not the programs that a hook runs. The
    host's systemd-sysctl runs later.
    """
    boot = config.next_boot
    if boot is None or not prediction.holds(accepts) or prediction.value is None:
        return prediction
    early = find_early_load(config).source
    if boot.initramfs:
        where, certain = boot.initramfs[0], True
    elif boot.dracut and "/modules-load.d/" in early:
        where, certain = early, False
    elif words := [word for word in _words(config, boot) if _IN_INITRAMFS.match(word)]:
        where, certain = f"{words[0]} on the kernel command line", False
    else:
        return prediction
    applied = config.resolve(config.systemd_sysctl) if config.systemd_runs else None
    if applied is not None and applied.value is not None and not applied.doubt:
        return prediction
    if certain:
        because = (
            f"{where} makes the initramfs load ip_vs, where no hook can set the value, and "
            "systemd-sysctl, which runs later, sets nothing: the value is the kernel's default, 1"
        )
        return replace(prediction, value=1, because=because)
    doubt = (
        f"the initramfs may load ip_vs ({where}), where no hook can set the value, and "
        "systemd-sysctl, which runs later, sets nothing; a line in /etc/sysctl.d settles it"
    )
    return replace(prediction, doubt=doubt)
