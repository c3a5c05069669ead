"""No text crashes a parser, and no pattern takes long."""

from __future__ import annotations

import time

from configured import CONF, HOOK, LOADERS, off, tree
from hypothesis import given
from hypothesis import strategies as st

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.host_config import HostConfig
from ipvs_audit.persistence.persisted_value import persisted_value
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.shell import parser
from ipvs_audit.snapshot.config_paths import SYSCTL
from ipvs_audit.snapshot.sysctl_key import name_matches, parse_int, parse_key

PIECES = (
    "net.ipv4.vs.run_estimation", "net/ipv4/*/run_estimation", "=", " = ", "0", "1", "-", "\r",
    "#", ";", "[", "]", "*", "?", "\\", "\n", '"', "'", "&&", "||", "|", "(", ")", "{", "}", "$",
    "`", ">", "/proc/sys/net/ipv4/vs/run_estimation", "install ", "ip_vs", "ip-vs", "softdep ",
    "alias ", "pre: ", "/sbin/modprobe", "--ignore-install", "sysctl", "-p", "-w", "echo", "tee",
    "sh -c", 'ACTION=="add"', 'SUBSYSTEM=="module"', 'KERNEL=="ip_vs"', 'RUN+="', "exit", "!",
    "systemd-sysctl", "--prefix=", "[:alpha:]", "[a-", "..", "\x00", "\x0b", "ü",
)  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map(
    lambda parts: " ".join(parts) if len(parts) % 2 else "".join(parts)
)
PATHS = (
    CONF,
    HOOK,
    *(f"{directory}/50-a.conf" for directory in SYSCTL.directories),
    "/etc/sysctl.d/99-sysctl.conf",
    "/etc/modprobe.d/a.conf",
    "/etc/udev/rules.d/a.rules",
    "/etc/modules-load.d/a.conf",
)


@given(
    st.dictionaries(st.sampled_from(PATHS), TEXT, max_size=6),
    st.sampled_from(((4, 0, 2), (4, 0, 5), (3, 3, 17), (3, 3, 10), ())),
)
def test_no_tree_crashes_the_judgement(files: dict[str, str], procps: tuple[int, ...]) -> None:
    given_tree = tree(files, cmdline=tuple(files.values()))
    loaders = type(LOADERS)(
        **{name: getattr(LOADERS, name) for name in LOADERS.__slots__} | {"procps": procps}
    )
    config = HostConfig(given_tree, loaders)
    found = persisted_value(config, off)
    assert all(isinstance(line, str) for line in found.lines)
    for prediction in (after_reload(config, off), after_boot(config, off)):
        assert prediction.summary


@given(TEXT | st.text())
def test_the_shell_reader_parses_or_says_why_not(text: str) -> None:
    try:
        parser.parse(text)
    except parser.UnsupportedShellError as unsupported:
        assert str(unsupported)  # noqa: PT017  # either way is right


@given(st.text(), st.text(alphabet="ab*?[]!^-\\:", max_size=40))
def test_numbers_keys_and_patterns_take_any_text(text: str, pattern: str) -> None:
    assert parse_int(text) is None or isinstance(parse_int(text), int)
    assert isinstance(parse_key(text).dotted, str)
    assert isinstance(name_matches(pattern, "abab"), bool)


def test_a_hostile_pattern_takes_no_time() -> None:
    before = time.process_time()
    assert not name_matches("*?" * 500, "run_estimation")
    assert not name_matches("*a" * 500 + "b", "a" * 500)
    assert time.process_time() - before < 1
