"""``python -m ipvs_audit``: what the audit offers beside pytest."""

from __future__ import annotations

import sys

from ipvs_audit.cli import explain, merge, render, verify

_COMMANDS = {
    "explain": explain.main,
    "merge": merge.main,
    "render": render.main,
    "verify": verify.main,
}


def main(argv: list[str]) -> int:
    """Run a subcommand; 2 where there is none of that name."""
    command = _COMMANDS.get(argv[0]) if argv else None
    if command is None:
        sys.stderr.write(f"usage: python -m ipvs_audit {{{','.join(_COMMANDS)}}} ...\n")
        return 2
    return command(argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
