"""Configurations of kinds found in public: the model agrees with a real guest, or does not commit.

``tests/corpus/field-cases.json``: ``files``, ``links``, ``trigger`` (the module that is loaded),
and where a guest (Debian 12, Linux 6.1) was asked, ``after_reload``: the value after
``modprobe -r ip_vs`` and ``modprobe TRIGGER`` (null: ip_vs was not loaded), and modprobe's status.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from configured import LOADERS, off

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.host_config import HostConfig
from ipvs_audit.persistence.policy_verdicts import judge_reload
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.tree_on_disk.programs import read_programs
from ipvs_audit.persistence.tree_on_disk.tree import read_tree
from ipvs_audit.snapshot.programs import AtPath

if TYPE_CHECKING:
    from ipvs_audit.persistence.prediction import Prediction

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "corpus/field-cases.json").read_text()
)
#: What Debian 12 does not have, and hooks name.
MISSING = dict.fromkeys(("/usr/bin/sysctl", "/usr/bin/modprobe"), AtPath("absent"))

#: What is inconclusive on Debian 12, and why.
OPEN = {
    "a04c-kicksecure-disabled-script": "what '/usr/bin/disabled-network-by-policy' does",
    "a37-set-in-file-without-conf": "it reads /etc/sysctl.d/enable_ipvs, which was not collected",
    "a51-single-ampersand": "runs a command in the background",
}
#: What is inconclusive as well where only the files are known, as to `explain`.
OPEN_AS_A_TREE = {
    "a29-usr-bin-paths-of-arch": "the evidence does not say whether /usr/bin/",
    "a41-softdep-pre-for-schedulers": "ip_vs_rr: where there is such a module",
    "a52-html-escaped": "a command that this audit cannot read",  # which shell /bin/sh is
    "a29b-usr-bin-sysctl-only": "the evidence does not say whether /usr/bin/sysctl exists",
}


def tree(case: dict[str, Any], top: Path) -> HostConfig:
    """The configuration of a case as `explain` reads it."""
    for path, text in case["files"].items():
        (top / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (top / path[1:]).write_text(text)
        (top / path[1:]).chmod(0o755 if text.startswith("#!") else 0o644)
    for path, target in case["links"].items():
        (top / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (top / path[1:]).symlink_to(target)
    files = read_tree(top)
    return HostConfig(files, LOADERS, programs=read_programs(top, files, LOADERS))


def host(case: dict[str, Any], top: Path) -> HostConfig:
    """The same as an audit of that guest sees it."""
    config = tree(case, top)
    paths = {**config.programs.paths, **MISSING}
    modules = {**config.programs.modules, "ip_vs_rr": True}
    programs = replace(config.programs, paths=paths, modules=modules, shell="dash")  # noqa: S604
    return replace(config, programs=programs)


@pytest.mark.parametrize("read", [tree, host])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_model_agrees_with_the_guest_or_does_not_commit_itself(
    case: dict[str, Any], read: Any, tmp_path: Path
) -> None:
    config = read(case, tmp_path)
    verdict, why = judge_reload(config, Policy())
    known = OPEN | (OPEN_AS_A_TREE if read is tree else {})
    assert (verdict is Verdict.INCONCLUSIVE) == (case["name"] in known), why
    assert known.get(case["name"], "") in why
    if seen := case.get("after_reload"):
        assert_agrees(after_reload(config, off), seen["value"], seen["modprobe_status"])


def assert_agrees(found: Prediction, value: int | None, status: int) -> None:
    """A prediction that commits itself names the guest's value, and modprobe's failure."""
    if found.doubt:
        return
    assert found.value == value
    if value == 0 and status:  # also of a tree, where other keys are not known
        assert "failure" in " ".join(found.notes) or "not certain" in " ".join(found.notes)
    if found.fault:
        assert status


def test_few_of_them_are_left_open(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = [
        judge_reload(host(case, tmp_path_factory.mktemp("host")), Policy())[0] for case in CASES
    ]
    left = verdicts.count(Verdict.INCONCLUSIVE)
    with capsys.disabled():
        print(  # noqa: T201  # the share is asked for
            f"\nfield cases: {left} of {len(CASES)} inconclusive ({left / len(CASES):.0%})"
        )
    assert left == len(OPEN)
