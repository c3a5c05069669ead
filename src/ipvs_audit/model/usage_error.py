"""The base of errors that the user puts right before anything has happened."""

from __future__ import annotations


class UsageError(Exception):
    """An option, or a file that it names, is wrong; the message says which, and what to do.

    The run ends with :attr:`.exit_codes.ExitCode.USAGE`, and no host was contacted.
    """
