"""What decides a key's value on a host: its files, its loaders, its kernel."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

from ipvs_audit.persistence.boot_units import SYSCTL_UNIT, UnitCheck, check_unit
from ipvs_audit.persistence.resolution import Resolution, one_of, resolve, resolve_builds
from ipvs_audit.persistence.sysctl_answers import settled
from ipvs_audit.snapshot.boot_files import BootFiles
from ipvs_audit.snapshot.config_paths import SYSCTL_CONF, why_ignored
from ipvs_audit.snapshot.errors import GarbledEvidenceError
from ipvs_audit.snapshot.modprobe_config import ModprobeConfig, read_modprobe
from ipvs_audit.snapshot.programs import Programs
from ipvs_audit.snapshot.sysctl_key import RUN_ESTIMATION, Key
from ipvs_audit.snapshot.sysctl_loader import Loader

if TYPE_CHECKING:
    from ipvs_audit.snapshot import Snapshot
    from ipvs_audit.snapshot.config_files import ConfigTree
    from ipvs_audit.snapshot.host import Loaders
    from ipvs_audit.snapshot.host_answers import HostAnswers
    from ipvs_audit.snapshot.next_boot import NextBoot

MODULE = "ip_vs"
#: Distributions that build procps' sysctl as upstream released it.
_UNPATCHED = ("debian", "ubuntu")

ModuleState = Literal["loaded", "builtin", "available", "absent", "unknown"]


@dataclass(frozen=True, eq=False)
class Asked:
    """What the host's programs answered, of which files and by which programs.

    Attributes:
        answers: the answers.
        root: whether root asked.
        tree, loaders: what they hold for. With other files or programs nobody has asked.
    """

    answers: HostAnswers
    root: bool
    tree: ConfigTree
    loaders: Loaders


@dataclass(frozen=True, eq=False)
class HostConfig:
    """One host's persisted configuration; equal only to itself, so that results can be cached.

    Attributes:
        tree: the files.
        loaders: the programs that read them.
        module: state of ip_vs.
        has_switch: whether the kernel has the key once ip_vs is loaded; None where unknown.
        key: the key in question.
        softdep: what modules.softdep says of ip_vs, as the snapshot's module has it.
        kernel: release of the running kernel; empty where there is none, as for a tree on disk.
        programs: what hooks and rules name, and whether it is there; nothing is known without.
        asked: what the host's own programs answered; None for a tree on disk.
        next_boot: what the next boot will find; None where nothing is known of it.
        boot_files: what else runs at boot and later.
    """

    tree: ConfigTree
    loaders: Loaders
    module: ModuleState = "available"
    has_switch: bool | None = None
    key: Key = RUN_ESTIMATION
    softdep: str = ""
    kernel: str = ""
    programs: Programs = field(default_factory=Programs)
    asked: Asked | None = None
    next_boot: NextBoot | None = None
    boot_files: BootFiles = field(default_factory=BootFiles)
    _resolved: dict[Loader, Resolution] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def needs_module(self) -> bool:
        """Whether the key appears only once ip_vs is loaded."""
        return self.key.path.startswith("net/ipv4/vs/")

    @cached_property
    def modprobe(self) -> ModprobeConfig:
        """What modprobe reads."""
        return read_modprobe(self.tree, self.loaders.kmod, self.softdep)

    @cached_property
    def sysctl_p(self) -> Loader:
        """``sysctl -p`` as this host would run it."""
        program: Literal["procps", "busybox"] = (
            "busybox" if self.loaders.sysctl_kind == "busybox" else "procps"
        )
        return Loader(
            program,
            self.loaders.procps or (),
            (SYSCTL_CONF,),
            release=self.loaders.procps_release,
            unpatched=self.loaders.os_id in _UNPATCHED or self.loaders.helps_dry_run is False,
            patched=self.loaders.helps_dry_run is True,
        )

    @cached_property
    def sysctl_system(self) -> Loader:
        """``sysctl --system`` as this host would run it."""
        return replace(self.sysctl_p, files=None, ignores_unknown_keys=True)

    @cached_property
    def systemd_sysctl(self) -> Loader:
        """systemd-sysctl as this host would run it."""
        version = self.loaders.systemd_version
        release = self.loaders.systemd_release
        return Loader("systemd", () if version is None else (version,), release=release)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Files that no loader reads, one note each: an operator may have mistyped their names."""
        return tuple(f"ignored: {path}: {why_ignored(path)}" for path in self.tree.ignored)

    @property
    def systemd_runs(self) -> bool:
        """Whether systemd-sysctl runs at boot."""
        return (
            self.loaders.init == "systemd"
            and self.loaders.systemd_sysctl is not None
            and SYSCTL_UNIT not in self.loaders.masked_units
            and not self.sysctl_unit.why_not
        )

    @property
    def answers(self) -> HostAnswers | None:
        """What the host's own programs answered of these very files; None where nobody asked."""
        asked = self.asked
        if asked is None or asked.tree is not self.tree or asked.loaders is not self.loaders:
            return None
        return asked.answers

    @cached_property
    def sysctl_unit(self) -> UnitCheck:
        """Whether a boot starts systemd-sysctl as shipped."""
        return check_unit(self.boot_files, SYSCTL_UNIT)

    def resolve(self, loader: Loader) -> Resolution:
        """What a loader makes of the key; each loader is resolved once."""
        found = self._resolved.get(loader)
        if found is None:
            found = self._resolved[loader] = self._resolve(loader)
        return found

    def _resolve(self, loader: Loader) -> Resolution:
        if self.asked is None or self.answers is None:
            return resolve(self.tree, loader, self.key)
        builds = resolve_builds(self.tree, loader, self.key)
        model = one_of(builds, loader)
        return settled(model, builds, self.answers, self.key, root=self.asked.root)


def host_config_of(snapshot: Snapshot, key: Key = RUN_ESTIMATION) -> HostConfig:
    """The configuration that a snapshot holds.

    Raises:
        GarbledEvidenceError: a section that it needs cannot be read.
    """
    module, host = snapshot.module, snapshot.census.host
    has_switch = module.knows_switch
    if host.raw is not None:
        # A file that was installed since ip_vs was loaded is what the next load takes.
        has_switch = module.knows_switch is not False
    elif module.loaded and host.why_unread == "absent":
        has_switch = False
    answers = snapshot.host_answers
    loaders = replace(
        snapshot.loaders, os_id=snapshot.host.os_id, helps_dry_run=answers.helps_dry_run
    )
    same = _Identical(
        snapshot.config,
        module.softdep,
        snapshot.kernel.release,
        snapshot.programs,
        snapshot.next_boot,
        snapshot.boot_files,
    )
    asked = (answers, _ran_as_root(snapshot)) if key == RUN_ESTIMATION else None
    return _host_config((same, asked), loaders, module.state, has_switch, key)


def _ran_as_root(snapshot: Snapshot) -> bool:
    """Whether root asked the host's programs; where that cannot be read they settle no doubt."""
    try:
        return snapshot.account.root
    except GarbledEvidenceError:
        return False


#: Sections that say when ip_vs is loaded and what follows, and nothing of what the files set.
_OF_LOADS = ("udev", "modules-load")


def sysctl_config_of(snapshot: Snapshot) -> HostConfig:
    """The same for what the files set, which rests on no udev rule and no modules-load.d.

    Raises:
        GarbledEvidenceError: a section that it needs cannot be read.
    """
    for _ in _OF_LOADS:
        try:
            return host_config_of(snapshot)
        except GarbledEvidenceError as garbled:
            if garbled.section not in _OF_LOADS:
                raise
            section = snapshot.sections.get(garbled.section)
            if section is None:
                raise
            snapshot = snapshot.with_sections(replace(section, output="end\n"))
    return host_config_of(snapshot)


@dataclass(frozen=True, slots=True)
class _Identical:
    """A tree that equals only itself: hosts of one image share one object, and so programs."""

    tree: ConfigTree
    softdep: str
    kernel: str
    programs: Programs
    next_boot: NextBoot
    boot_files: BootFiles

    def __hash__(self) -> int:
        return id(self.tree)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Identical)
            and other.tree is self.tree
            and other.programs is self.programs
            and other.boot_files is self.boot_files
            and (other.softdep, other.kernel) == (self.softdep, self.kernel)
            and other.next_boot == self.next_boot
        )


@lru_cache(maxsize=256)
def _host_config(
    collected: tuple[_Identical, tuple[HostAnswers, bool] | None],
    loaders: Loaders,
    module: ModuleState,
    has_switch: bool | None,
    key: Key,
) -> HostConfig:
    """One object for all hosts with the same configuration, so that each is resolved once."""
    same, asked = collected
    about = None if asked is None else Asked(*asked, same.tree, loaders)
    return HostConfig(
        same.tree,
        loaders,
        module,
        has_switch,
        key,
        softdep=same.softdep,
        kernel=same.kernel,
        programs=same.programs,
        asked=about,
        next_boot=same.next_boot,
        boot_files=same.boot_files,
    )
