"""What a file that names the key may do to it, where nobody knows what runs the file.

Whatever such a file holds counts, unless it is understood: a line that only reads the key, one that
gives it a name of the script's own, of which each use is seen, or plain data that no program is
known to be given.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.late_writers.module_loads import loads_past_hook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.snapshot.boot_files import BootFile

_NAME = "run_estimation"
#: What names the key, or may stand for it.
NAMES = re.compile(rf"{_NAME}|ipv4[./]vs[./]\S*[*?\[]|ipv4/vs/?(?=[^\w./-]|$)")
_ENDINGS = tuple(".sh .bash .zsh .ksh .py .pl .rb .lua .php .js .tcl .awk /Makefile".split())  # noqa: SIM905
#: Files that are data, be they executable, as all files of some file systems are.
_DATA_ENDINGS = tuple(
    ".conf .cfg .cnf .ini .yml .yaml .toml .env .list .csv .properties .rules .repo".split()  # noqa: SIM905
)
_SHELL = re.compile(r"#!.*sh\b")
_NO_SHELL = tuple(each for each in _ENDINGS if "sh" not in each)
#: A variable that holds the key, or a part of its name, and nothing else.
_ASSIGNMENT = re.compile(
    r"(^\s*|[;&|({]\s*|\b(?:then|do|else)\s+)"
    r"(?:(?:local|readonly|my|our|var|let|const|declare|typeset)\s+(?:-\w+\s+)*)?"
    rf"[$@]?(\w+)\s*:?=\s*[rb]?([\"']?)([\w./-]*{_NAME}[\w./-]*)\3\s*(?=$|[;&|#)}}])"
)
_LOOP = re.compile(r"\bfor\s+(?:my\s+)?[$]?(\w+)\s*(?:\bin\b|\()([^;]*)")
_COMMENT = re.compile(r"\s[#](?!\{)[^\"'`]*$")
#: A key, as an element of a list: no command goes by such a name.
_ELEMENT = re.compile(r"(?:/proc/sys/)?[a-z]\w*(?:[./][\w*-]+){2,}")
#: Variables of no more letters may be words of any line.
_SHORT = 2
_LIST = re.compile(r"^\s*(?:(?:local|readonly|declare|typeset)\s+(?:-\w+\s+)*)?\w+\+?=")
_READS = re.compile(
    r"\b(?:open|reads?|readlines?|read_\w+|readFile\w*|slurp|exists|is_?file|access|stat|sysctl|cat|print\w*"
    r"|log\w*|echo|if|elif|assert\w*)\b"
)
_PRINTS = re.compile(r"\s*(?:print|console\.\w+|puts|say|echo|log\w*\.\w+|raise)\b[^>]*$")
_WRITES = re.compile(
    r"\bwrite|put_contents|\b(?:tee|dd|cp)\b|[\"'](?:r?[wa]\+?b?\+?|r\+b?|[+]?>+)[\"']"
    r"|>+\s*[\"']?[/$]|[\"' ]-\w*w\b|--write|\bO_(?:WRONLY|RDWR)\b|[\"']\s+w\b"
    rf"|{_NAME}[\"'}}]*\s*(?:\+\s*[\"'])?=(?!=)"
)
#: A line with a command that writes the key, in a file of data.
_COMMAND = re.compile(
    rf"\bsysctl\b.*{_NAME}[\"']?\s*=|(?:>|\bof=|\b(?:tee|cp|dd|install|write)\b)[^;&|]*{_NAME}"
    rf"|{_NAME}[\"']\s*,\s*[\"']\w*[wa+]"
)
_SETS = re.compile(rf"[^=:]*{_NAME}[^=:]*[=:]|[^=:]*[*?\[][^=:]*=")
_SETTING = re.compile(r"\s*-?\s*[\"']?(?:net[./])?(?:[\w*]+[./])*[\w*?\[\]]+[\"']?\s*[=:]\s*\S*\s*")


def is_script(file: BootFile) -> bool:
    """Whether a file says of itself that it may be run: by its first line, name or mode."""
    first = file.lines[0] if file.lines else None
    shebang = first is not None and first.number == 1 and first.text.startswith("#!")
    runs = file.executable and not file.path.endswith(_DATA_ENDINGS)
    return shebang or runs or file.path.endswith(_ENDINGS)


def holds_key(file: BootFile) -> bool:
    """Whether a file names the key, or loads ip_vs past its hook."""
    return any(NAMES.search(line.text) or loads_past_hook(line.text) for line in file.lines)


def names_of_data(files: Iterable[BootFile]) -> re.Pattern[str] | None:
    """What tells that a line names one of these files of data: a path, or a name in a folder.

    A name that may be any word tells only behind a folder's.
    """
    names = []
    for file in files:
        if not is_script(file) and holds_key(file):
            name = file.path.rpartition("/")[2]
            folders = "*" if re.search("[._-]", name) and name != "sysctl.conf" else "+"
            names.append(rf"(?:[^\s/\"'=<>]+/){folders}{re.escape(name)}")
            names.append(re.escape(file.path))
    return re.compile(rf"(?<![^\s\"'=(<>])(?:{'|'.join(names)})(?![\w.-])") if names else None


def data_lines(file: BootFile, *, given: bool) -> BootFile:
    """The lines of a file of data that may set the key: those with a command that does.

    Args:
        file: what is no script.
        given: something that runs names the file, so that its settings count.
    """
    lines = (
        line
        for line in file.lines
        if (given and _SETS.match(line.text))
        or (_NAME not in line.text and not _SETTING.fullmatch(line.text))
        or _COMMAND.search(line.text)
    )
    return replace(file, lines=tuple(lines))


def script_lines(file: BootFile) -> BootFile:
    """The lines of a script with the key in place of its variables, without harmless mentions."""
    first = file.lines[0].text if file.lines else ""
    shell = not file.path.endswith(_NO_SHELL)
    if first.startswith("#!"):
        shell = _SHELL.match(first) is not None
    names: dict[str, str] = {}
    lines = []
    for line in file.lines:
        text = _COMMENT.sub("", line.text) if shell and _NAME in line.text else line.text
        text = _told(text, names, shell=shell)
        if NAMES.search(text) and _is_harmless(text, shell=shell, writes=file.writes):
            continue
        lines.append(replace(line, text=text))
    return replace(file, lines=tuple(lines))


def _told(text: str, names: dict[str, str], *, shell: bool) -> str:
    """A line with what its variables hold; what it assigns goes to ``names`` instead."""
    text = _substituted(text, names, shell=shell)
    for found in list(_ASSIGNMENT.finditer(text)):
        if shell or "$" in found[0] or len(found[2]) > _SHORT:
            names[found[2]] = found[4]
            text = text.replace(found[0], f"{found[1]}:")
    for found in list(_LOOP.finditer(text)):
        for word in re.split(r"[\s,\"'()\[\]{}]+", found[2]):
            if NAMES.search(word) and "\\" not in word:
                names[found[1]] = word
                text = text.replace(found[0], ":")
    return _substituted(text, names, shell=shell)


def _substituted(text: str, names: dict[str, str], *, shell: bool) -> str:
    for name, value in names.items():
        text = re.sub(rf"[$](?:{name}\b|\{{{name}\}})", value, text)
        if not shell and len(name) > _SHORT:
            bare = rf"(?<![\w.$\"'-])(?:(?:self|cls|this)\.|@)?{name}(?!\w|\s*=[^=])"
            text = re.sub(bare, f'"{value}"', text)
    return text


def _is_harmless(text: str, *, shell: bool, writes: bool) -> bool:
    """Whether a line of a script that names the key only reads it, or may not write it at all."""
    if shell:
        words = _LIST.sub("", text).strip("()\"'\\, \t").split()
        return not writes and all(_ELEMENT.fullmatch(each) or each.isdigit() for each in words)
    if _PRINTS.match(text):
        return True
    return not _WRITES.search(text) and (not writes or _READS.search(text) is not None)
