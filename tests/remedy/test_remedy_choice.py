"""Which remedy a plan takes: the recipe only where its hook is proven to change nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from configured import CONF, DROP_IN, HOOK, OFF, ON, RECIPE, all_equal, tree
from planned import file_steps, host, planned

from ipvs_audit.model.policy import Policy
from ipvs_audit.remedy.options import RemediationOptions, add_remediation_options
from ipvs_audit.remedy.plan import make_plan
from ipvs_audit.snapshot.statistics_readers import StatisticsReader, StatisticsReaders

if TYPE_CHECKING:
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.snapshot import Snapshot
    from ipvs_audit.snapshot.running_values import Answer

FORWARDING = "vm.swappiness = 7\nnet.ipv4.ip_forward = 0\n"
ITS_HOOK = RECIPE.replace("sysctl -p", f"sysctl -p {DROP_IN}")
OTHER = "/etc/sysctl.d/99-k8s.conf"
EXPORTER = StatisticsReader("node_exporter", 812, "exe", "always", "its ipvs collector reads")


def evidence(files: dict[str, str], *, parts: dict[str, Any] | None = None, **answers: Answer
             ) -> Snapshot:  # fmt: skip
    """A host where each line holds the running value, but for these keys."""
    made = tree(files)
    running = all_equal(made.files, **answers)
    return host(files, config=tree(files, running=running), **parts or {})


def contents(made: Plan) -> dict[str, str]:
    return {step.path: step.after.decode() for step in file_steps(made)}


def test_the_recipe_is_chosen_where_its_hook_changes_nothing_else() -> None:
    made = planned({CONF: FORWARDING})
    assert contents(made) == {CONF: FORWARDING + OFF, HOOK: RECIPE}
    assert made.notes == ("remedy: auto chose recipe: its hook changes no other key",)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("differs", "differs from the running value"),
        ("absent", "the kernel has no such key now"),
        ("readonly", "the key is read-only"),
        ("acts", "acts on each write"),
        ("unread", "could not be compared"),
    ],
)
def test_a_drop_in_is_chosen_where_the_recipe_may_change_more(answer: Answer, why: str) -> None:
    made = make_plan(evidence({CONF: FORWARDING}, ip_forward=answer), Policy())
    assert contents(made) == {DROP_IN: OFF, HOOK: ITS_HOOK}
    assert made.ready
    (note,) = made.notes
    assert note == (
        "remedy: auto chose drop-in: with recipe each load of ip_vs would also apply "
        f"net.ipv4.ip_forward ({CONF}:2: {why})"
    )


def test_a_pattern_and_what_was_not_compared_is_not_harmless() -> None:
    made = planned({CONF: "net.ipv4.conf.*.rp_filter = 1\n"})
    assert DROP_IN in contents(made)
    assert f"net.ipv4.conf.*.rp_filter ({CONF}:1: is a pattern)" in made.notes[0]
    bare = host({CONF: FORWARDING}, config=tree({CONF: FORWARDING}, running={}))
    assert DROP_IN in contents(make_plan(bare, Policy()))


def test_a_drop_in_that_holds_more_is_not_read_by_the_hook() -> None:
    """The value goes to a file of our own; what contradicts it is commented out."""
    files = {CONF: FORWARDING, OTHER: "net.ipv4.ip_forward = 0\n" + ON}
    for remedy in ("auto", "drop-in"):
        made = make_plan(evidence(files, ip_forward="differs"), Policy(remedy=remedy))
        assert contents(made) == {
            OTHER: f"net.ipv4.ip_forward = 0\n# ipvs-audit: {ON}", DROP_IN: OFF, HOOK: ITS_HOOK,
        }  # fmt: skip
    harmless = make_plan(evidence(files), Policy(remedy="drop-in"))
    assert contents(harmless) == {
        OTHER: "net.ipv4.ip_forward = 0\n" + OFF,
        HOOK: RECIPE.replace("sysctl -p", f"sysctl -p {OTHER}"),
    }


def test_no_drop_in_of_any_name_that_holds_more_is_taken() -> None:
    names = ("90-ipvs", "99-ipvs", "99-zz-ipvs", "zz-ipvs")
    taken = {f"/etc/sysctl.d/{name}.conf": "vm.swappiness = 7\n" for name in names}
    made = make_plan(evidence({CONF: FORWARDING, **taken}, swappiness="differs"), Policy())
    assert made.status == "cannot_be_remediated"
    assert "/etc/sysctl.d/zz-ipvs.conf:1: differs" in made.blocked
    assert (
        f"with recipe each load of ip_vs would also apply vm.swappiness ({CONF}:1" in made.blocked
    )


def test_a_hook_that_applies_the_file_already_makes_the_recipe_no_worse() -> None:
    """EST-3 names the keys; the remedy only adds the value."""
    made = make_plan(evidence({CONF: FORWARDING, HOOK: RECIPE}, ip_forward="differs"), Policy())
    assert contents(made) == {CONF: FORWARDING + OFF}
    assert made.ready
    assert made.notes == (
        "remedy: auto chose recipe: it needs no new hook",
        f"a load of ip_vs also sets net.ipv4.ip_forward ({CONF}:2: differs from the running value)",
    )


def test_switching_on_again_writes_no_hook_so_nothing_else_changes() -> None:
    made = make_plan(
        evidence({CONF: FORWARDING + OFF}, ip_forward="differs"), Policy(estimation="enabled")
    )
    assert contents(made) == {CONF: FORWARDING + ON}
    assert made.ready


def test_a_recipe_that_is_asked_for_and_may_change_more_needs_approval() -> None:
    changes = evidence({CONF: FORWARDING}, ip_forward="differs")
    recipe = Policy(remedy="recipe")
    made = make_plan(changes, recipe)
    assert made.status == "needs_approval"
    assert contents(made) == {CONF: FORWARDING + OFF, HOOK: RECIPE}
    assert made.needs_approval == (
        "each load of ip_vs would also apply net.ipv4.ip_forward "
        f"({CONF}:2: differs from the running value); use 'remedy: auto', or approve with "
        "--accept-recipe-side-effects or, for this host, "
        "ipvs_audit_accept_recipe_side_effects: true"
    )
    assert make_plan(changes, recipe, accept_side_effects=True).ready
    assert make_plan(changes, Policy(remedy="recipe", accept_recipe_side_effects=True)).ready
    assert make_plan(evidence({CONF: FORWARDING}), recipe).ready
    assert not make_plan(changes, recipe, accept_statistics_loss=True).ready


def test_each_approval_is_for_itself() -> None:
    changes = evidence(
        {CONF: FORWARDING}, parts={"readers": StatisticsReaders((EXPORTER,))}, ip_forward="differs"
    )
    recipe = Policy(remedy="recipe")
    both = make_plan(changes, recipe).needs_approval
    assert "--accept-recipe-side-effects" in both
    assert "--accept-statistics-loss" in both
    assert not make_plan(changes, recipe, accept_statistics_loss=True).ready
    assert not make_plan(changes, recipe, accept_side_effects=True).ready
    assert make_plan(changes, recipe, accept_side_effects=True, accept_statistics_loss=True).ready


def test_the_option_is_read() -> None:
    defaults: dict[str, object] = {}

    def declare(name: str, **about: Any) -> None:
        defaults[name.removeprefix("--").replace("-", "_")] = about.get("default")

    add_remediation_options(declare)
    assert not RemediationOptions.read(defaults.get).accept_recipe_side_effects
    given = defaults | {"accept_recipe_side_effects": True}
    assert RemediationOptions.read(given.get).accept_recipe_side_effects
