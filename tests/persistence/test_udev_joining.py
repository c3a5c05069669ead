"""Continued lines of udev's rules: comments and blank lines among them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, HOOK, LOADERS, OFF, RECIPE, config, off

from ipvs_audit.persistence.reload import after_reload

RULES = "/etc/udev/rules.d/90-some.rules"
OTHER = 'ACTION=="add", SUBSYSTEM=="net", RUN+="/sbin/sysctl -w net.ipv4.vs.run_estimation=1"\n'
SETS = 'RUN+="/sbin/sysctl -w net.ipv4.vs.run_estimation=0"\n'


def holds(files: dict[str, str], version: int | None = 252) -> bool | None:
    loaders = replace(LOADERS, systemd_version=version)
    return after_reload(config(files, loaders=loaders), off).holds(off)


@pytest.mark.parametrize("comment", ["# local \\\n", "  # local \\\n", "# local \\\\\n"])
def test_a_comment_takes_no_following_line_with_it(comment: str) -> None:
    """On a guest udev 252 ran the rule below such a comment."""
    assert holds({CONF: OFF, HOOK: RECIPE, RULES: comment + OTHER}) is None


@pytest.mark.parametrize(
    ("version", "expected"), [(252, True), (243, True), (239, None), (None, None)]
)
def test_a_comment_between_continued_lines_is_dropped(
    version: int | None, expected: bool | None
) -> None:
    rule = f'ACTION=="add", SUBSYSTEM=="module", \\\n# why\n  KERNEL=="ip_vs", \\\n  {SETS}'
    assert holds({RULES: rule}, version) is expected


def test_any_backslash_at_the_end_continues_a_rule() -> None:
    """Also the second of two: udev looks at the last character alone."""
    rule = f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs" \\\\\n{SETS}'
    # The backslash that is left is no part of a rule, so udev throws the line away.
    assert holds({RULES: rule}) is False


@pytest.mark.parametrize(
    "rule",
    [
        f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs", \\\n\n{SETS}',
        f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs", {SETS[:-1]} \\\n\n',
        f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs", {SETS[:-1]} \\\n',
    ],
)
def test_a_blank_line_or_the_end_within_a_rule_is_a_doubt(rule: str) -> None:
    assert holds({CONF: OFF, RULES: rule}) is not True


def test_blanks_before_a_continued_line_are_dropped_within_a_value() -> None:
    rule = OTHER.replace("run_estimation=1", "run_\\\n    estimation=1")
    assert holds({CONF: OFF, HOOK: RECIPE, RULES: rule}) is None
