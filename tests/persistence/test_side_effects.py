"""What else a load of ip_vs sets, where its hook applies whole sysctl files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from configured import CONF, DROP_IN, HOOK, OFF, RECIPE, all_equal, config, off, tree
from made import census, netns, snapshot, verdict

from ipvs_audit.persistence.host_config import HostConfig
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.sysctl_loader import Loader

if TYPE_CHECKING:
    from ipvs_audit.snapshot.running_values import Answer

LOAD = "install ip_vs /sbin/modprobe --ignore-install ip_vs"
SPECIAL = "vm.swappiness = 7\nnet.ipv4.ip_forward = 0\n" + OFF


def after(files: dict[str, str], **answers: Answer) -> tuple[tuple[str, ...], list[str]]:
    """The notes on a load, and the keys that it may change."""
    made = config(files)
    running = all_equal(made.tree.files, **answers)
    made = config(files) if not answers else HostConfig(
        tree(files, running=running), made.loaders, programs=made.programs
    )  # fmt: skip
    found = after_reload(made, off)
    return found.notes, [effect.key for effect in found.effects]


def test_a_hook_that_applies_what_runs_anyway_changes_nothing_else() -> None:
    assert after({CONF: SPECIAL, HOOK: RECIPE}) == ((), [])


def test_keys_that_a_load_changes_are_named() -> None:
    notes, keys = after({CONF: SPECIAL, HOOK: RECIPE}, ip_forward="differs")
    assert notes == (
        f"a load of ip_vs also sets net.ipv4.ip_forward ({CONF}:2: differs from the running value)",
    )
    assert keys == ["net.ipv4.ip_forward"]


@pytest.mark.parametrize("answer", ["absent", "readonly", "unread"])
def test_what_is_not_proven_to_change_nothing_counts_and_is_no_claim(answer: Answer) -> None:
    assert after({CONF: SPECIAL, HOOK: RECIPE}, swappiness=answer) == ((), ["vm.swappiness"])


def test_patterns_and_keys_that_this_sysctl_reads_otherwise_count() -> None:
    """procps before 3.3.16 takes a dash for part of the key, so the probe looked at another."""
    files = {CONF: "net.ipv4.conf.*.rp_filter = 1\n" + SPECIAL, HOOK: RECIPE}
    assert after(files)[1] == ["net.ipv4.conf.*.rp_filter"]
    made = config({CONF: "-vm.swappiness = 7\n" + OFF, HOOK: RECIPE})
    assert not after_reload(made, off).effects
    old = config({CONF: "-vm.swappiness = 7\n" + OFF, HOOK: RECIPE})
    object.__setattr__(old, "sysctl_p", Loader("procps", (3, 3, 10), (CONF,)))
    assert [effect.key for effect in after_reload(old, off).effects] == ["-vm.swappiness"]


def test_without_a_comparison_every_line_counts() -> None:
    made = config({CONF: SPECIAL, HOOK: RECIPE})
    bare = HostConfig(tree({CONF: SPECIAL, HOOK: RECIPE}, running={}), made.loaders,
                      programs=made.programs)  # fmt: skip
    found = after_reload(bare, off)
    assert [effect.key for effect in found.effects] == ["vm.swappiness", "net.ipv4.ip_forward"]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("hook", "keys"),
    [
        (f"{LOAD} && /sbin/sysctl -p {DROP_IN}", []),
        (f"{LOAD} && /sbin/sysctl -p {DROP_IN} {CONF}", ["net.ipv4.ip_forward"]),
        (f"{LOAD} && /sbin/sysctl --system", ["net.ipv4.ip_forward"]),
        (f"{LOAD} && /sbin/sysctl -r vs -p", []),
        (f"{LOAD} && /sbin/sysctl -w net.ipv4.vs.run_estimation=0", []),
        (f"{LOAD} && /lib/systemd/systemd-sysctl --prefix=/net/ipv4/vs", []),
        (f"{LOAD} && logger x", []),
    ],
)
def test_only_lines_that_the_hook_applies_count(hook: str, keys: list[str]) -> None:
    files = {CONF: SPECIAL, DROP_IN: OFF, HOOK: f"{hook}\n"}
    assert after(files, ip_forward="differs")[1] == keys


def test_a_udev_rule_that_applies_all_files_counts_too() -> None:
    rule = 'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs", RUN+="/sbin/sysctl --system"\n'
    files = {CONF: SPECIAL, "/etc/udev/rules.d/90-x.rules": rule}
    assert after(files, ip_forward="differs")[1] == ["net.ipv4.ip_forward"]


def test_est_3_shows_the_keys_and_still_passes() -> None:
    files = {CONF: SPECIAL, HOOK: RECIPE}
    running = all_equal(tree(files).files, ip_forward="differs")
    evidence = snapshot(config=tree(files, running=running), census=census(netns(raw="0")))
    result = verdict("EST-3", evidence)
    assert result.verdict == "pass", result.message
    assert "a load of ip_vs also sets net.ipv4.ip_forward" in result.observed
