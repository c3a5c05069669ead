"""EST-2 and EST-3 on a configuration, and the note on files that no loader reads."""

from __future__ import annotations

from dataclasses import replace

from configured import CONF, HOOK, OFF, ON, RECIPE, config
from made import snapshot, verdict

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.policy_verdicts import judge_persisted, judge_reload

OFF_POLICY = Policy(estimation="disabled")
MISTYPED = ("/etc/sysctl.d/90-ipvs.cnf", "/etc/modeprobd.d/ipvs.conf")
NOTES = (
    "ignored: /etc/sysctl.d/90-ipvs.cnf: its name does not end in .conf",
    "ignored: /etc/modeprobd.d/ipvs.conf: no program reads /etc/modeprobd.d",
)


def test_a_failure_names_the_files_that_no_loader_reads() -> None:
    about = config({CONF: "kernel.panic = 1\n"})
    about = replace(about, tree=replace(about.tree, ignored=MISTYPED))
    for judge in (judge_persisted, judge_reload):
        found, why = judge(about, OFF_POLICY)
        assert found is Verdict.FAIL
        assert why.endswith("; ".join(NOTES))


def test_ignored_files_change_no_verdict_and_are_shown_in_what_is_observed() -> None:
    about = config({CONF: OFF, HOOK: RECIPE})
    tree = replace(about.tree, ignored=MISTYPED)
    evidence = snapshot(config=tree, loaders=about.loaders)
    for control in ("EST-2", "EST-3"):
        result = verdict(control, evidence, OFF_POLICY)
        assert result.verdict is Verdict.PASS
        assert result.observed.endswith("\n".join(NOTES))


def test_the_opposite_policy_needs_no_line() -> None:
    nothing = config({CONF: "kernel.panic = 1\n"})
    assert judge_persisted(nothing, Policy(estimation="enabled")) == (Verdict.PASS, "")
    off = config({CONF: OFF, HOOK: RECIPE})
    assert judge_persisted(off, Policy(estimation="enabled"))[0] is Verdict.FAIL
    assert judge_reload(config({CONF: ON, HOOK: RECIPE}), OFF_POLICY)[0] is Verdict.FAIL
