r"""How the lines of sysctl files compare with the running values, as the probe saw them.

The probe compares on the host: it brings keys and the answer, never a value.

>>> from ipvs_audit.snapshot.section import Section
>>> text = "file /etc/sysctl.conf\ndiffers 3 net/ipv4/ip_forward\nend\n"
>>> parse_running_values(Section("running-values", "", text, None, 1.0))
{('/etc/sysctl.conf', 3): Compared(path='net/ipv4/ip_forward', answer='differs')}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ipvs_audit.snapshot.section import unescaped_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.snapshot.section import Section

SECTION = "running-values"

Answer = Literal["equal", "differs", "acts", "absent", "readonly", "unread"]
_ANSWERS: tuple[Answer, ...] = get_args(Answer)
_LINE = re.compile(r"([a-z]{1,8}) ([0-9]{1,9}) ([^ \t/][^ \t]{0,1023})")


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of a sysctl file, compared with the running value of the key that it sets.

    Attributes:
        path: of the key, below ``/proc/sys``.
        answer: ``equal``, or ``differs``; ``acts`` where each write does something, whatever the
            value; ``absent`` where the kernel has no such key now; ``readonly`` where it takes no
            value; ``unread`` where the probe could not compare.
    """

    path: str
    answer: Answer


def parse_running_values(section: Section) -> Mapping[tuple[str, int], Compared]:
    """What was compared, by file and number of the line.

    Raises:
        GarbledEvidenceError: the section is not whole, or a line is not of its form.
    """
    found: dict[tuple[str, int], Compared] = {}
    file = ""
    for line in section.whole_lines():
        if line.startswith("file /"):
            file = unescaped_path(line.removeprefix("file "))
            continue
        parts = _LINE.fullmatch(line)
        answer = next((one for one in _ANSWERS if parts and one == parts[1]), None)
        if parts is None or answer is None or not file or (file, int(parts[2])) in found:
            raise section.garbled_line(line)
        found[file, int(parts[2])] = Compared(parts[3], answer)
    return found
