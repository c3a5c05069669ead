"""Who runs the suite on the controller, as reports and journals name them."""

from __future__ import annotations

import getpass
import os


def operator_name() -> str:
    """The user who typed the command: before sudo, where sudo was used; else ``uid N``."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
