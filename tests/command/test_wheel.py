"""The wheel, installed into an environment of its own, on every Python of this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from program import ROOT, Audit

#: What the wheel is built from: nothing else of the checkout.
SOURCES = (
    "src",
    "checks",
    "inventories",
    "docs/controls",
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
)
ENVIRONMENTS = ROOT / ".cache" / "pythons"
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def run(*command: str | Path, cwd: Path, status: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode in status, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, tree / name, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__")
            )
        else:
            shutil.copy(ROOT / name, tree)
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(sys.executable, *PIP, *build, tree, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_what_the_audit_needs_and_nothing_else(wheel: Path) -> None:
    files = set(ZipFile(wheel).namelist())
    package = {name for name in files if not name.startswith("ipvs_audit-")}
    assert all(name.startswith("ipvs_audit/") for name in package)
    wanted = [path for path in (ROOT / "src/ipvs_audit").rglob("*") if path.is_file()]
    source = {str(path.relative_to(ROOT / "src")) for path in wanted}
    source = {name for name in source if "__pycache__" not in name}
    shipped = {f"ipvs_audit/checks/{path.name}" for path in (ROOT / "checks").glob("*.py")}
    pages = (ROOT / "docs/controls").glob("*.md")
    shipped |= {f"ipvs_audit/control_pages/{path.name}" for path in pages}
    assert package == source | shipped | {"ipvs_audit/inventories/localhost.yml"}


def python(version: str) -> Path:
    """An interpreter of this version, or a skipped test."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return Path(sys.executable)
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for found in (*pyenv, shutil.which(f"python{version}")):
        if found and not subprocess.run([found, "-c", ""], check=False, timeout=60).returncode:
            return Path(found)
    pytest.skip(f"Python {version} is not on this machine")


def environment(version: str, wheel: Path) -> Path:
    """The bin folder of an environment with the locked requirements, kept, and this wheel."""
    interpreter, lock = python(version), ROOT / "requirements.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = ENVIRONMENTS / f"{version}-{digest}"
    executable = folder / "bin" / "python"
    if not (folder / "complete").exists():
        run(interpreter, "-m", "venv", "--clear", folder, cwd=ROOT)
        needed = ("--no-compile", "--require-hashes", "-r", lock)  # most of it is never imported
        run(executable, *PIP, "install", *needed, cwd=ROOT)
        (folder / "complete").touch()
    run(executable, *PIP, "install", "--no-deps", "--force-reinstall", wheel, cwd=ROOT)
    return executable.parent


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_the_installed_command_works_from_an_empty_folder(
    version: str, wheel: Path, audit: Audit, saved: Path, tmp_path: Path
) -> None:
    command = environment(version, wheel) / "ipvs-audit"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "exit codes:" in run(command, "--help", cwd=empty)
    assert run(command, "--version", cwd=empty).startswith("ipvs-audit ")
    assert "remediation:" in run(command, "audit", "--help", cwd=empty)

    said = run(command, cwd=empty, status=(0, 1))
    results = json.loads((empty / "reports/latest/results.json").read_text())
    (host,) = results["hosts"]
    assert [one["id"] for one in host["controls"]] == results["run"]["required"], said
    assert "EST-6" in results["run"]["required"]
    assert "warning" not in said
    run(command, "verify", "reports/latest", cwd=empty)
    run(command, "render", "reports/latest", "--format", "csv", "--into", "again", cwd=empty)
    for line in run(command, "explain", "/", "--format", "jsonl", cwd=empty).splitlines():
        assert json.loads(line)["path"] == "/"

    recorded = ("--from-snapshots", saved, "--reports", tmp_path / "theirs")
    run(command, "audit", *recorded, cwd=empty, status=(1,))
    theirs = Audit(tmp_path / "theirs")
    ours = audit("--from-snapshots", saved)
    assert type(ours)(1, "", theirs.reports).verdicts() == ours.verdicts()
