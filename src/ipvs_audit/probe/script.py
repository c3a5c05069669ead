"""Puts the probe script together.

>>> script = render("0" * 32)
>>> script.splitlines()[-1]
b'main </dev/null'
"""

from __future__ import annotations

import hashlib
import re
import secrets
from importlib.resources import files

from ipvs_audit.model import limits
from ipvs_audit.model.computed_once import computed_once
from ipvs_audit.snapshot.statistics_readers import probe_words

#: The parts of the script beside probe.sh, in order: functions only.
PARTS = (
    "host.sh",
    "processes.sh",
    "mount_namespaces.sh",
    "namespaces.sh",
    "namespace_values.sh",
    "counters.sh",
    "config.sh",
    "running_values.sh",
    "loaders.sh",
    "programs.sh",
    "asked.sh",
    "next_boot.sh",
    "late_search.sh",
    "late_writers.sh",
)

#: Parts more, for a plan: the files that may have to change, whole, and where they lie.
EDITABLE_FILES = ("root_only.sh", "editable_files.sh")


#: What runs the functions before it.
_LAST_LINE = "main </dev/null\n"
_NONCE = re.compile(r"[0-9a-f]{32}")
_AWK_BEGINS = re.compile(r"[a-z_]+_awk='[^']*")
#: Of a line that divides before a string with a slash in it this makes nonsense: there is none.
_AWK_TOKENS = re.compile(
    r"""(?P<literal>"(?:[^"\\]|\\.)*"|/(?:[^/\\\[]|\\.|\[\]?(?:[^\]\\]|\\.)*\])+/)"""
    r"|\ ?(?P<operator>[=!<>]=|&&|\|\||[-+]=|[=<>{};,?:~])\ ?|(?P<comment>\ *\#.*)"
)


def new_nonce() -> str:
    """128 random bits in hex: what content on the host cannot know.

    >>> len(new_nonce())
    32
    """
    return secrets.token_hex(16)


@computed_once()
def _template() -> str:
    folder = files(__package__)
    text = {name: (folder / name).read_text("utf-8") for name in ("probe.sh", *PARTS)}
    whole = text["probe.sh"].replace("# @PARTS@", "\n".join(text[name] for name in PARTS))
    names, words = probe_words()
    whole = whole.replace("@READERS@", names).replace("@READER_WORDS@", words)
    return strip_comments(whole)


@computed_once()
def _editable_files() -> str:
    folder = files(__package__)
    return strip_comments("".join((folder / name).read_text("utf-8") for name in EDITABLE_FILES))


def root_only_function() -> str:
    """The shell function that tells whether a directory is root's alone."""
    return strip_comments((files(__package__) / EDITABLE_FILES[0]).read_text("utf-8"))


def mount_namespaces_part() -> str:
    """The part of the script that finds the namespaces which are mounted somewhere."""
    return strip_comments((files(__package__) / "mount_namespaces.sh").read_text("utf-8"))


def strip_comments(text: str) -> str:
    r"""A script without comments and indentation, and without blanks that awk does not need.

    Awk programs are told by the name of their variable, which ends in ``_awk``.

    >>> strip_comments("f() {\n  # why\n  x_awk='\n  { a = \"b = c\"; d = /= e/ }'\n}\n")
    'f() {\nx_awk=\'\n{a="b = c";d=/= e/}\'\n}\n'
    """
    lines = (line.strip() for line in text.splitlines())
    kept = []
    in_awk = False
    for line in lines:
        if not line or line.startswith("#"):
            continue
        kept.append(_without_blanks(line) if in_awk else line)
        in_awk = not line.endswith("'") if in_awk else bool(_AWK_BEGINS.fullmatch(line))
    return "\n".join(kept) + "\n"


def _without_blanks(line: str) -> str:
    """A line of awk without a comment and blanks around operators; literals stay as they are."""
    return _AWK_TOKENS.sub(lambda found: found["literal"] or found["operator"] or "", line)


def render(
    nonce: str,
    *,
    span: int = limits.SHORTEST_SPAN,
    every_namespace: bool = False,
    editable_files: bool = False,
) -> bytes:
    """The script as it goes to a host, to be fed to ``sh``; some 74 KiB.

    Args:
        nonce: from :func:`new_nonce`, for one host and one time.
        span: seconds between the first sample of the counters and the last.
        every_namespace: sample the counters of namespaces without IPVS rules too.
        editable_files: bring the files that a plan may change, whole.

    Raises:
        ValueError: for a nonce that is not 32 hex digits, or too short a span.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError(f"the nonce {nonce!r} is not 32 hex digits")
    if span < limits.SHORTEST_SPAN:
        raise ValueError(f"a span of {span} s is too short: at least {limits.SHORTEST_SPAN} s")
    words = {
        "@NONCE@": nonce,
        "@SPAN@": str(span * 100 + 10),
        "@RS@": "\x1e",
        "@EVERY@": str(int(every_namespace)),
    }
    script = _template()
    if editable_files:
        script = script.replace(_LAST_LINE, _editable_files() + _LAST_LINE)
    for word, value in words.items():
        script = script.replace(word, value)
    return script.encode()


def without_run(script: bytes) -> bytes:
    """A rendered script that only defines ``main``."""
    return script.removesuffix(_LAST_LINE.encode())


@computed_once()
def digest() -> str:
    """Which probe this is: sha256 of the script before nonce and options, first 12 digits."""
    return hashlib.sha256(_template().encode()).hexdigest()[:12]
