"""argparse as all subcommands use it: a usage error names --help and has its own exit code."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.model.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable


class Parser(argparse.ArgumentParser):
    """Option names are never abbreviated, as in pytest."""

    def __init__(self, prog: str, description: str, **more: Any) -> None:  # noqa: ANN401
        super().__init__(
            prog,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **more,
        )

    def error(self, message: str) -> NoReturn:
        """End with :attr:`ExitCode.USAGE`."""
        _, unknown, words = message.partition("unrecognized arguments: ")
        names = [word.partition("=")[0] for word in words.split() if unknown and word[0] == "-"]
        meant = " ".join(
            filter(None, (did_you_mean(one, self._option_string_actions) for one in names))
        )
        lead = f"{message}; {meant} " if meant else f"{message}; "
        self.exit(ExitCode.USAGE, f"{self.prog}: {lead}see: {self.prog} --help\n")

    def getgroup(self, name: str) -> Section:
        """What ``pytest.Parser.getgroup`` is for pytest: options are declared for both alike."""
        return Section(self.add_argument_group(name.removeprefix("ipvs-audit: ")).add_argument)


class Section:
    """Options under one heading."""

    def __init__(self, addoption: Callable[..., object]) -> None:
        self.addoption = addoption


def refuse(command: str, wrong: Exception | str) -> ExitCode:
    """Say what is wrong, on stderr; gives :attr:`ExitCode.USAGE`."""
    from rich.console import Console  # noqa: PLC0415  # for usage errors only
    from rich.text import Text  # noqa: PLC0415

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text(f"ipvs-audit {command}: {wrong}"))
    return ExitCode.USAGE
