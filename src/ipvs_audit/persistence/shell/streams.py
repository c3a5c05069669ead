"""Where a command's input and outputs go once its redirections are applied."""

from __future__ import annotations

Redirections = tuple[tuple[str, str, str], ...]

#: What a descriptor leads to that a shell gave the command.
STREAMS = ("stdin", "stdout", "stderr")
#: Where a descriptor leads that was closed, or opened by who is not known.
UNKNOWN = "unknown"
_BOTH = ("&>", "&>>")
#: Operators that make a descriptor lead where another one does.
DUPLICATES = (">&", "<&")
_ALSO_STREAMS = ("/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/", "/dev/tty")


def streams(redirections: Redirections) -> dict[str, str]:
    """Descriptor -> file, or one of :data:`STREAMS`, or :data:`UNKNOWN`.

    They are applied from left to right (POSIX, 2.7).

    >>> streams((("", ">", "/dev/null"), ("2", ">&", "1")))["2"]
    '/dev/null'
    """
    leads = {str(number): name for number, name in enumerate(STREAMS)}
    for descriptor, operator, target in redirections:
        if operator in DUPLICATES:
            number = descriptor or ("1" if operator == ">&" else "0")
            leads[number] = leads.get(target, UNKNOWN)
        elif operator in _BOTH:
            leads["1"] = leads["2"] = target
        else:
            number = descriptor or ("0" if operator == "<" else "1")
            leads[number] = UNKNOWN if target.startswith(_ALSO_STREAMS) else target
    return leads
