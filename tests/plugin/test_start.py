"""What is imported before it is needed: everybody waits for it. No time is measured here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: What takes long to import, and what only an audit needs.
HEAVY = {
    "ansible", "cryptography", "distributed", "hypothesis", "icmplib", "junit_xml", "paramiko",
    "pydantic", "yaml", "ipvs_audit.controls.control", "ipvs_audit.persistence",
    "ipvs_audit.remedy.plan", "ipvs_audit.report.html", "ipvs_audit.snapshot",
    "ipvs_audit.transport.ssh",
}  # fmt: skip
#: Those that reading an inventory's name needs.
TO_READ = {"pydantic", "yaml"}
#: pytest-html's plugin imports Jinja, pytest's own terminal needs pygments.
WITHOUT_PYTEST = HEAVY | {"_pytest", "jinja2", "rich"}

#: What an audit of this machine, without latency, waivers or an earlier run, has no use for.
NOT_FOR_AN_AUDIT = {
    "ansible", "distributed", "icmplib", "paramiko", "rich.progress", "ipvs_audit.audit.baseline",
    "ipvs_audit.model.waiver_file", "ipvs_audit.probe.processes", "ipvs_audit.remedy.journal",
    "ipvs_audit.remedy.plan",
    "ipvs_audit.remedy.plan_steps", "ipvs_audit.report.html.latency_plot",
    "ipvs_audit.report.results_stream", "urllib.request",
}  # fmt: skip

RUN = """\
import sys
from ipvs_audit.cli.main import main
try:
    code = main(sys.argv[1:])
finally:
    sys.stderr.write("\\nIMPORTED " + " ".join(sys.modules))
sys.exit(code)
"""

#: Whether Python still looks for garbage after an audit, and at which of these modules.
SEARCHED = """\
import gc, sys
from ipvs_audit.cli.main import main
main(sys.argv[1:])
searched = {id(one) for one in gc.get_objects()}
stay = ("pytest", "pydantic", "ipvs_audit.snapshot", "test_est_2_sysctl_persisted")
looked_at = [name for name in stay if id(vars(sys.modules[name])) in searched]
print("\\nSEARCHED", gc.isenabled(), looked_at)
"""


def imported_by(folder: Path, *words: str) -> tuple[int, set[str], str]:
    """Exit code, the modules that were imported, and what was said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}
    run = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        cwd=folder,
        env=environment | {"HOME": str(folder)},  # which holds no ansible.cfg
        capture_output=True,
        text=True,
        check=False,
    )
    said, _, modules = run.stderr.rpartition("\nIMPORTED ")
    return run.returncode, set(modules.split()), run.stdout + said


@pytest.mark.parametrize("words", [("--help",), ("audit", "--help"), ("--version",), ("audti",)])
def test_help_imports_neither_pytest_nor_what_an_audit_needs(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    code, modules, said = imported_by(tmp_path, *words)
    assert code == (4 if words == ("audti",) else 0), said
    assert "ipvs_audit.cli.main" in modules
    assert not sorted(modules & WITHOUT_PYTEST)


def test_a_mistyped_option_is_told_before_anything_of_an_audit_is_imported(tmp_path: Path) -> None:
    code, modules, said = imported_by(tmp_path, "audit", "--inventroy=hosts.yml")
    assert code == 4
    assert "unrecognized arguments: --inventroy" in said
    assert "ipvs_audit.plugin.hooks" in modules
    assert not sorted(modules & HEAVY)


def test_a_mistyped_inventory_is_told_before_what_collects_and_reports_is_imported(
    tmp_path: Path,
) -> None:
    code, modules, said = imported_by(tmp_path, "audit", "--inventory", "no-such.yml")
    assert code == 4
    assert "no-such.yml" in said
    assert not sorted(modules & (HEAVY - TO_READ))


def test_an_audit_of_this_machine_imports_nothing_that_only_other_runs_need(
    tmp_path: Path,
) -> None:
    code, modules, said = imported_by(tmp_path, "audit", "-q")
    assert code in {0, 1}, said
    assert "localhost" in said
    assert "ipvs_audit.plugin.session_hooks" in modules
    assert not sorted(modules & NOT_FOR_AN_AUDIT)


def test_no_search_for_garbage_looks_at_what_an_audit_has_imported(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SEARCHED, "audit", "-q"],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.endswith("\nSEARCHED True []\n"), run.stdout + run.stderr
