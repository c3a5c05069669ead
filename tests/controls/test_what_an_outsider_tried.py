"""Evidence and checks as an outsider left them: none may pass, hide a fail, or end the run."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import recorded
from made import snapshot, verdict

from ipvs_audit.controls.control import control, judge
from ipvs_audit.controls.discovery import find_checks
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.plugin.command import is_checkout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("name", ["drifted", "namespaced", "trap"])
@pytest.mark.parametrize("left", ["", "tree=/lib/modules/6.1.0-50-cloud-amd64\nbuiltin=0\n"])
def test_a_module_section_that_contradicts_the_key_proves_nothing(name: str, left: str) -> None:
    whole = recorded.snapshot(name)
    sections = dict(whole.sections)
    sections["module"] = replace(sections["module"], output=left)
    cut = replace(whole, sections=sections)
    found = {control: verdict(control, cut) for control in ("EST-4", "EST-5", "EST-6")}
    assert {one.verdict for one in found.values()} == {Verdict.ERROR}, found
    assert "run_estimation can be read" in found["EST-4"].message


@pytest.mark.parametrize("name", ["compliant", "drifted", "drifted-unloaded", "idle"])
@pytest.mark.parametrize("line", ["root=other /etc\n", "root=denied\n", ""])
def test_files_of_a_chroot_or_a_container_prove_nothing_of_the_host(name: str, line: str) -> None:
    whole = recorded.snapshot(name)
    loaders = whole.sections["loaders"]
    output = loaders.output.replace("root=same\n", line)
    boxed = replace(whole, sections={**whole.sections, "loaders": replace(loaders, output=output)})
    for about in ("EST-2", "EST-3"):
        assert verdict(about, boxed).verdict is Verdict.INCONCLUSIVE
        assert "process 1" in verdict(about, boxed).message
    assert verdict("EST-4", boxed) == verdict("EST-4", whole)


def judged(body: Callable[[], None]) -> Any:
    @control("OPS-1", "odd", severity="low", source="x", fix="x")
    def check(snapshot: Any, policy: Any, assessment: Any) -> None:  # noqa: ARG001
        assessment.expect("an outcome")
        assessment.observe("something")
        body()

    return judge(check, snapshot(), Policy())


def test_pytests_own_outcomes_in_a_check_are_verdicts() -> None:
    assert judged(lambda: pytest.skip("not today")).verdict is Verdict.INCONCLUSIVE
    failed = judged(lambda: pytest.fail("it is broken"))
    assert (failed.verdict, failed.message) == (Verdict.FAIL, "it is broken")


def test_a_check_that_exits_is_broken_and_ends_nothing() -> None:
    with pytest.raises(RuntimeError, match=r"sys\.exit"):
        judged(lambda: sys.exit(0))


def test_ctrl_c_in_a_check_is_still_ctrl_c() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judged(interrupt)


def test_checks_in_folders_below_are_known(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "test_ops.py").write_text(
        "from ipvs_audit.controls.control import control\n"
        "@control('OPS-1', 'x', severity='low', source='x', fix='x')\n"
        "def test_x(snapshot, policy, assessment):\n    'Why.'\n"
    )
    assert set(find_checks(tmp_path)) == {"OPS-1"}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ('[tool.pytest.ini_options]\naddopts = ["-p", "ipvs_audit.plugin.hooks"]\n', True),
        ("# like ipvs_audit.plugin.hooks\n[project]\nname = 'other'\n", False),
        ("[tool.pytest.ini_options]\naddopts = 3\n", False),
        ("not toml", False),
    ],
)
def test_a_folder_is_a_checkout_by_what_its_pytest_loads(
    tmp_path: Path, text: str, *, is_one: bool
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert is_checkout(tmp_path) is is_one


@pytest.mark.parametrize(("mode", "is_one"), [(0o1777, False), (0o777, False), (0o775, True)])
def test_a_folder_that_everybody_may_write_to_is_no_checkout(
    tmp_path: Path, mode: int, *, is_one: bool
) -> None:
    plugin = 'addopts = "-p ipvs_audit.plugin.hooks"'
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{plugin}\n")
    tmp_path.chmod(mode)
    assert is_checkout(tmp_path) is is_one
