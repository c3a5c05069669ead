"""Debian packages of any suite, fetched through a private apt configuration.

The mirror is the one that this machine's own apt uses; nothing of its configuration is changed.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from lab.process import LabError, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
INDEX = re.compile(r"^'(?P<mirror>[^' ]+?)/*/dists/(?P<suite>[a-z]+)/(?:InRelease|Release)'")


def mirror() -> str:
    """The address of the Debian mirror that apt on this machine uses.

    Raises:
        LabError: apt knows no plain Debian suite.
    """
    if given := os.environ.get("IPVS_AUDIT_LAB_MIRROR"):
        return given
    printed = run_command(
        ["apt-get", "--print-uris", "update"], timeout=300, what="ask apt for its mirror"
    )
    for line in printed.splitlines():
        if found := INDEX.match(line):
            return found["mirror"]
    raise LabError(
        "apt on this machine has no Debian suite among its sources; "
        "name a Debian mirror in IPVS_AUDIT_LAB_MIRROR",
    )


class Archive:
    """An apt of its own in a folder, with the main component of some suites.

    >>> archive = Archive(Path("apt"), ["bullseye", "trixie"])       # doctest: +SKIP
    >>> archive.update()                                             # doctest: +SKIP
    >>> archive.download("procps", "bullseye")                       # doctest: +SKIP
    PosixPath('apt/debs/procps_2%3a3.3.17-5_amd64.deb')
    """

    def __init__(self, folder: Path, suites: Sequence[str]) -> None:
        self.folder = folder.absolute()
        self.suites = suites

    def update(self) -> None:
        """Lays out the folder and reads the package lists."""
        for name in ("lists/partial", "cache/archives/partial", "debs", "unpacked"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        at = mirror()
        lines = (f"deb [signed-by={KEYRING}] {at} {suite} main\n" for suite in self.suites)
        (self.folder / "sources.list").write_text("".join(lines))
        self._apt("apt-get", "update", "--quiet=2", "--error-on=any")

    def depends(self, package: str, suite: str) -> str:
        """The one package that a metapackage of the suite stands for."""
        printed = self._apt("apt-cache", "show", "--no-all-versions", f"{package}/{suite}")
        found = re.search(r"^Depends: (\S+)", printed, re.MULTILINE)
        if not found:
            raise LabError(f"package {package} of {suite} depends on nothing")
        return found[1]

    def download(self, package: str, suite: str) -> Path:
        """Fetches the package as that suite has it, and gives back its file."""
        printed = self._apt("apt-get", "download", "--print-uris", f"{package}/{suite}")
        name = printed.split()[1]
        self._apt("apt-get", "download", "--quiet=2", f"{package}/{suite}")
        return self.folder / "debs" / name

    def unpack(self, package: str, suite: str) -> Path:
        """Fetches the package and unpacks its files into a folder of its own, which it returns."""
        deb = self.download(package, suite)
        into = self.folder / "unpacked" / deb.stem
        run_command(["dpkg-deb", "--extract", deb, into], timeout=3000, what=f"unpack {deb.name}")
        return into

    def _apt(self, *words: str) -> str:
        options = {
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.folder / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            # The unprivileged user that apt would fetch as may not enter the checkout.
            "APT::Sandbox::User": "root",
        }
        argv = [words[0], *(f"--option={key}={value}" for key, value in options.items())]
        return run_command(
            [*argv, *words[1:]],
            timeout=900,
            what="Debian packages for the guests",
            cwd=self.folder / "debs",
        )
