"""What the pages show works as it is written."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from configured import SCENARIOS, scenario
from made import verdict
from pages import PAGES, ROOT, Example, fenced, indented

from ipvs_audit.cli.main import COMMANDS

EXAMPLES = [example for page in PAGES for example in fenced(page)]
BIN = Path(sys.executable).parent
#: Of pytest's own options, which `ipvs-audit audit --help` leaves to `pytest --help`.
PYTEST = {"--collect-only", "--help", "--html", "--junitxml", "--lf"}


def id_of(example: Example) -> str:
    return f"{example.page.relative_to(ROOT)}:{example.line}"


def of(*languages: str) -> list[Example]:
    return [example for example in EXAMPLES if example.language in languages]


@pytest.mark.parametrize("example", of("python"), ids=id_of)
def test_python_compiles(example: Example) -> None:
    compile(example.text, id_of(example), "exec")


@pytest.mark.parametrize("example", of("yaml"), ids=id_of)
def test_yaml_is_yaml(example: Example) -> None:
    assert list(yaml.safe_load_all(example.text))


def shell_of(example: Example) -> str:
    """A shell block, or the commands of a CI job in YAML."""
    if example.language != "yaml":
        return example.text
    found: list[str] = []

    def walk(node: object, key: str = "") -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                walk(value, str(name))
        elif isinstance(node, list):
            for value in node:
                walk(value, key)
        elif key in ("script", "run"):
            found.append(str(node))

    walk(yaml.safe_load(example.text))
    return "\n".join(found)


@pytest.mark.parametrize("example", of("sh", "bash", "yaml"), ids=id_of)
def test_shell_passes_shellcheck(example: Example, tmp_path: Path) -> None:
    script = shell_of(example)
    (tmp_path / "example.sh").write_text(f"#!/bin/sh\n{script}\n")
    done = subprocess.run(
        # SC2154: the lines before may set it. SC2164: a person sees that cd failed.
        [
            *(BIN / "shellcheck", "-s", "sh", "-S", "warning", "-e", "SC2154,SC2164"),
            tmp_path / "example.sh",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_ci_examples_hold_a_job_with_commands() -> None:
    page = [example for example in of("yaml") if example.page.name == "ci.md"]
    assert len(page) == 2
    for example in page:
        assert "ipvs-audit audit" in shell_of(example)


def command_lines() -> list[tuple[str, str, list[str]]]:
    """Page, subcommand and options of every command line of ours in an example."""
    found = []
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        text = "\n".join([*indented(page), *(map(shell_of, fenced(page)))])
        for line in text.replace("\\\n", " ").splitlines():
            match = re.search(r"(?:^|[;&|] *|\s)((?:\S*/)?(?:ipvs-audit|pytest)) +(.*)", line)
            if not match or line.lstrip().startswith(("#", "ln ", "cp ", "kubectl ")):
                continue
            words = shlex.split(match[2].replace("...", ""), comments=True)
            name = words[0] if words else ""
            command = "audit" if match[1].endswith("pytest") else name
            options = [word.partition("=")[0] for word in words if word.startswith("--")]
            found.append((f"{page.relative_to(ROOT)}: {line.strip()}", command, options))
    return found


LINES = command_lines()


def test_command_lines_are_found() -> None:
    assert len(LINES) > 40


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """The options of each subcommand, from its ``--help``."""
    wanted = {command for _, command, options in LINES if options and command in COMMANDS}
    return {
        command: set(
            re.findall(
                r"(?<![\w-])--[a-z][a-z0-9-]*",
                subprocess.run(
                    [BIN / "ipvs-audit", command, "--help"],
                    capture_output=True,
                    text=True,
                    timeout=300,
                    check=True,
                ).stdout,
            )
        )
        for command in sorted(wanted)
    }


def test_every_command_and_option_of_the_pages_exists(known: dict[str, set[str]]) -> None:
    for place, command, options in LINES:
        if not options:
            continue
        if command.startswith("-"):  # ipvs-audit --help
            assert options == ["--help"], place
            continue
        assert command in COMMANDS, place
        assert set(options) <= known[command] | PYTEST, place


READING = (ROOT / "docs" / "reading-est-3.md").read_text()
SHOWN = re.findall(r"<!-- scenario: (\S+) -->\n\n(.*?)(?=\n\n\S)", READING, re.DOTALL)


def test_there_are_six_answers_of_all_kinds() -> None:
    assert len(SHOWN) == 6
    assert {name.rpartition(".")[2] for name, _ in SHOWN} == {"pass", "fail", "inconclusive"}


@pytest.mark.parametrize(("name", "shown"), SHOWN, ids=[name for name, _ in SHOWN])
def test_an_answer_is_what_the_audit_says_of_these_files(name: str, shown: str) -> None:
    files, _, answer = re.sub(r"^ {4}", "", shown, flags=re.MULTILINE).partition("\n\n")
    evidence, policy = scenario(SCENARIOS / name)
    told = "".join(
        f"# /{path.relative_to(SCENARIOS / name)}\n{path.read_text()}"
        for path in sorted((SCENARIOS / name).glob("etc/**/*"))
        if path.is_file()
    )
    assert files + "\n" == told
    message = verdict("EST-3", evidence, policy).message.replace(
        "\n  the running kernel boots next (the default entry)", ""
    )
    assert answer.split() == message.split()
