"""Who runs this, as OpenSSH sees it: by the password database.

``HOME``, ``USER`` and ``LOGNAME`` do not count there (ssh.c, ``tilde_expand`` in misc.c): where
``sudo -E``, ``su`` or a job sets them, another file would name another machine or user.
"""

from __future__ import annotations

import functools
import getpass
import os
import pwd
from pathlib import Path


@functools.cache
def name() -> str:
    """The login name; the environment's where the user has no entry, as in some containers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser()


@functools.cache
def home() -> Path:
    """The home directory; the environment's where the user has no entry."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path.home()


def expand_home(path: str | Path) -> Path:
    """Replace a ``~`` at the start; another user's (``~bob``) is looked up.

    >>> expand_home("~/.ssh/config") == home() / ".ssh/config"
    True
    """
    text = str(path)
    if text == "~" or text.startswith("~/"):
        return home() / text[2:]
    return Path(text).expanduser()
