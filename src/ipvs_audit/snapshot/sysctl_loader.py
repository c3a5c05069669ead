"""A program that applies sysctl settings, and what its version and package release know.

Source: procps 3.3.10 to 4.0.4 and systemd 219 to 255, as upstream, Debian, el7, el8 and el9 build
them; ``tests/corpus/loaders`` has what each did.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from ipvs_audit.model.package_version import PackageVersion
from ipvs_audit.snapshot.config_paths import SYSCTL_CONF

Version = tuple[int, ...]

#: Builds of one upstream version that differ: the first release that reads /etc/sysctl.d before
#: /run/sysctl.d, or that knows patterns, as RHEL and its rebuilds (el, al, an) number it.
_PATCHED: dict[Version, str] = {(3, 3, 15): "8.el8", (3, 3, 17): "11.el9"}
#: Versions that stand for all, with the release where builds differ; the newest comes first.
_VERSIONS: dict[str, tuple[tuple[Version, str], ...]] = {
    "procps": (
        ((4, 0, 4), ""), ((3, 3, 17), "11.el9"), ((3, 3, 17), "1"), ((3, 3, 16), ""),
        ((3, 3, 15), "8.el8"), ((3, 3, 15), "1"), ((3, 3, 10), ""),
    ),
    "systemd": tuple(((one,), "") for one in (257, 255, 252, 249, 239, 219)),
}  # fmt: skip
_RHEL_RELEASE = re.compile(r"([0-9]{1,9})[\w.~+^]*?\.(?:el|al|an|fc)([0-9]{1,9})", re.ASCII)
_FEDORA_PATCHED = 5  # of 3.3.17

_PROCPS_ETC_FIRST: Version = (3, 3, 17)  # before, /run/sysctl.d masks /etc/sysctl.d
_PROCPS_DASH: Version = (3, 3, 16)  # before, a leading dash is part of the key's name
_PROCPS_GLOBS: Version = (4, 0, 0)
_PROCPS_GETLINE: Version = (3, 3, 11)  # before, lines are cut
_PROCPS_LONGEST_LINE = 4095
_SYSTEMD_WITHOUT_LIB = 255  # split /usr is no longer supported
_SYSTEMD_GLOBS = 245
_SYSTEMD_DASH = 239  # upstream 244; RHEL 8 brought it to 239
_SYSTEMD_SIMPLIFIES = 240  # keys; before, a lone carriage return ends no line either
_SYSTEMD_REFUSES_DOTS = 250  # 249 still writes net/ipv4/../ipv4/KEY, 252 does not
_SYSTEMD_READ_LINE = 235  # before, lines are cut
_SYSTEMD_LONGEST_LINE = 2047
_SYSTEMD_READS_SYSCTL_CONF = 219  # Debian ships a link in /etc/sysctl.d, RHEL 7 patched the program


@dataclass(frozen=True, slots=True)
class Loader:
    """A program that applies sysctl settings, and how it is called.

    Attributes:
        program: ``procps`` (also for an unknown sysctl), ``busybox`` or ``systemd``.
        version: of the program, e.g. ``(4, 0, 2)`` or ``(252,)``; empty where not known: then it
            may be any, of which the newest is taken where one must be.
        release: of its package, e.g. ``8.el8``; empty where not known.
        unpatched: built from upstream's source as it is (Debian, Ubuntu, or by its ``--help``).
        patched: knows patterns by its ``--help``: it names ``--dry-run``, as el9's does.
        files: the files that it is told to read; None reads the system's directories.
        prefixes: ``--prefix`` of systemd-sysctl: only keys below one of them.
        ignores_unknown_keys: a key that the kernel lacks is no error (``-e``, ``--system``).
    """

    program: Literal["procps", "busybox", "systemd"]
    version: Version = ()
    files: tuple[str, ...] | None = None
    prefixes: tuple[str, ...] = ()
    ignores_unknown_keys: bool = False
    release: str = ""
    unpatched: bool = False
    patched: bool = False

    @property
    def name(self) -> str:
        """The loader as a person types it, e.g. ``sysctl -p /etc/ipvs.conf``."""
        if self.program == "systemd":
            options = [f"--prefix={prefix}" for prefix in self.prefixes]
            return " ".join(["systemd-sysctl", *options, *(self.files or ())])
        if self.files is None:
            return "sysctl --system"
        named = [] if self.files == (SYSCTL_CONF,) else list(self.files)
        return " ".join(["sysctl", *(["-e"] if self.ignores_unknown_keys else []), "-p", *named])

    @property
    def version_text(self) -> str:
        """The version as the package has it, e.g. ``3.3.15-8.el8``; empty where not known."""
        return str(PackageVersion(self.version, self.release)) if self.version else ""

    @property
    def builds(self) -> tuple[Loader, ...]:
        """What this program may be: itself, two builds where only the release tells which, or any.

        >>> [build.globs for build in Loader("procps", (3, 3, 17)).builds]
        [False, True]
        """
        if not self.version and self.program in _VERSIONS:
            return tuple(
                replace(self, version=one, release=rel) for one, rel in _VERSIONS[self.program]
            )
        release = _PATCHED.get(self.version)
        known = self.release or self.unpatched or self.patched
        if self.program != "procps" or known or release is None:
            return (self,)
        return replace(self, unpatched=True), replace(self, release=release)

    @property
    def globs(self) -> bool:
        """Whether this version supports patterns and exclusions."""
        if self.program == "systemd":
            return self._is_at_least(_SYSTEMD_GLOBS)
        known = self._is_at_least(*_PROCPS_GLOBS)
        return self.program == "procps" and (known or self._patched((3, 3, 17)))

    @property
    def reads_etc_first(self) -> bool:
        """Whether a file in /etc/sysctl.d hides one in /run/sysctl.d."""
        first = self.program == "systemd" or self._is_at_least(*_PROCPS_ETC_FIRST)
        return first or self._patched((3, 3, 15))

    @property
    def reads_split_usr(self) -> bool:
        """Whether /lib/sysctl.d is read beside /usr/lib/sysctl.d."""
        return self.program != "systemd" or not self._is_at_least(_SYSTEMD_WITHOUT_LIB)

    @property
    def reads_sysctl_conf(self) -> bool:
        """Whether /etc/sysctl.conf is read last when no files are named."""
        return self.program != "systemd" or self.version[:1] == (_SYSTEMD_READS_SYSCTL_CONF,)

    @property
    def needs_sysctl_conf(self) -> bool:
        """Whether ``sysctl --system`` fails where there is no /etc/sysctl.conf."""
        return self.program == "procps" and self.files is None and self.line_limit is not None

    @property
    def rejects_garbage(self) -> bool:
        """Whether ``sysctl -p`` takes a line without an equals sign for a key."""
        named = self.program == "procps" and self.files is not None
        return named and not self.globs and self.line_limit is None

    @property
    def takes_dash(self) -> bool:
        """Whether a leading dash is an option, not part of the key's name."""
        if self.program == "systemd":
            return self._is_at_least(_SYSTEMD_DASH)
        return self._is_at_least(*_PROCPS_DASH)

    @property
    def line_limit(self) -> int | None:
        """After how many bytes a line is cut, and its rest read as another; None for never."""
        if self.program == "systemd":
            return None if self._is_at_least(_SYSTEMD_READ_LINE) else _SYSTEMD_LONGEST_LINE
        return None if self._is_at_least(*_PROCPS_GETLINE) else _PROCPS_LONGEST_LINE

    @property
    def simplifies_keys(self) -> bool:
        """Whether systemd takes ``net//ipv4`` for ``net/ipv4``; older ones take it as it stands."""
        return self._is_at_least(_SYSTEMD_SIMPLIFIES)

    @property
    def follows_dots(self) -> bool:
        """Whether systemd writes a key that is spelled with ``..``."""
        return not self._is_at_least(_SYSTEMD_REFUSES_DOTS)

    def _is_at_least(self, *version: int) -> bool:
        return not self.version or self.version >= version

    def _patched(self, version: Version) -> bool:
        """Whether this is a later build of a version, with a distribution's patch."""
        if self.patched and self.version == version:
            return True
        found = _RHEL_RELEASE.match(self.release)
        if self.program != "procps" or self.version != version or found is None:
            return False
        number, system = int(found[1]), int(found[2])
        needed, _, newest = _PATCHED[version].partition(".el")
        if system > int(newest) + 10:  # Fedora's numbers
            return version != (3, 3, 17) or number >= _FEDORA_PATCHED
        return number >= int(needed)
