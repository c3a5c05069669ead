"""Whether a command loads ip_vs in a way that runs no ``install`` line of modprobe.d.

Source: modprobe(8), insmod(8): insmod and busybox read no configuration, ``-i`` leaves out the
named module's command, ``-C``, ``-d`` and ``-S`` another place's; a container has files of its own.
"""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[;&|()`{}\"'\n,\[\]]+")
_SUBSTITUTION = re.compile(r"[$]\([^()]*\)|[$]\{[^{}]*\}|`[^`]*`")
_IP_VS = re.compile(r"(?:\S*/)?ip[_-]vs(?:\.ko(?:\.\w+)?)?")
_ANY_IP_VS = re.compile(r"(?:\S*/)?ip[_-]vs\S*")
_ELSEWHERE = frozenset(("chroot", "docker", "podman", "nerdctl", "crictl", "ctr", "busybox"))
_OTHER_PLACE = re.compile(r"-[a-zA-Z]*[CdS].*|--(?:config|dirname|set-version)(?:=.*)?")
_IGNORES = re.compile(r"-[a-zA-Z]*i[a-zA-Z]*|--ignore-(?:install|remove)")
_LOADS_NOT = re.compile(
    r"-[a-zA-Z]*[rnDRc][a-zA-Z]*|--(?:remove|dry-run|show|show-.*|resolve-alias)"
)


def loads_past_hook(text: str) -> bool:
    """Whether a line may load ip_vs without its hook.

    >>> loads_past_hook("/sbin/modprobe -i ip_vs"), loads_past_hook("/sbin/modprobe -a ip_vs")
    (True, False)
    """
    if "MODPROBE_OPTIONS=" in text and _ANY_IP_VS.search(text):
        return True
    parts = _SEPARATORS.split(_SUBSTITUTION.sub("_", text))
    return any(_is_past_hook(part.split()) for part in parts)


def _is_past_hook(words: list[str]) -> bool:
    names = [word.rpartition("/")[2] for word in words]
    if "insmod" in names:
        return any(_IP_VS.fullmatch(word) for word in words[names.index("insmod") + 1 :])
    if "modprobe" not in names:
        return False
    at = names.index("modprobe")
    rest = words[at + 1 :]
    if not any(_ANY_IP_VS.fullmatch(word) for word in rest):
        return False
    options = [word for word in rest if word.startswith("-")]
    if any(_LOADS_NOT.fullmatch(word) for word in options):
        return False
    if _ELSEWHERE & set(names[:at]) or any(_OTHER_PLACE.fullmatch(word) for word in options):
        return True
    ignores = any(_IGNORES.fullmatch(word) for word in options)
    return ignores and any(_IP_VS.fullmatch(word) for word in rest)
