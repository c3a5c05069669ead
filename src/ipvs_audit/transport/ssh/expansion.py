"""What stands for something else in ssh_config: ``%h``, ``${VARIABLE}``, ``~``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.ssh.local_user import expand_home

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"%(.?)", re.DOTALL)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def expand(text: str, tokens: Mapping[str, str]) -> str:
    """Replace ``%h`` and its like.

    >>> expand("%r@%h:%p %%", {"h": "web1", "p": "22", "r": "root"})
    'root@web1:22 %'
    """
    tokens = {"%": "%", **tokens}
    return _TOKEN.sub(lambda found: tokens.get(found[1], found[0]), text)


def expand_path(where: str, keyword: str, text: str, tokens: Mapping[str, str]) -> str:
    """A path with its ``~``, its tokens and the variables of the environment replaced.

    Args:
        where: the host as messages name it.
        keyword: whose value it is, for messages.
        text: as ssh_config has it; ``$HOME`` without braces stays, as in OpenSSH.
        tokens: letter -> what it stands for.

    Raises:
        TransportError: a variable is not set.
    """
    path = str(expand_home(text)) if text.startswith("~") else text
    # Together, so that neither is looked for in what the other one stands for.
    return "".join(
        expand_variables(where, keyword, part) if part.startswith("${") else expand(part, tokens)
        for part in re.split(r"(\$\{[^}]*\})", path)
    )


def expand_variables(where: str, keyword: str, text: str) -> str:
    """Replace ``${VARIABLE}``, as OpenSSH does since 8.4.

    Raises:
        TransportError: a variable is not set.
    """

    def value(found: re.Match[str]) -> str:
        told = os.environ.get(found[1])
        if told is None:
            raise TransportError(
                "configuration",
                f"{where}: set the environment variable {found[1]}, which {keyword} names",
            )
        return told

    return _VARIABLE.sub(value, text)
