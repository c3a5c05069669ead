"""Words that users would have to read twice, or that have another name here, are nowhere."""

from __future__ import annotations

import re

import pytest
from pages import PAGES, ROOT

#: What not to say -> what to say.
INSTEAD = {
    r"nothing to prove": "Not applicable: ...",
    r"not judged(?!:)": "not evaluated",
    r"could not be judged": "could not be evaluated",
    r"held back": "needs approval",
    r"(to|is|was) put back|puts it back": "revert",
    r"partly fixed": "partially remediated",
    r"nothing to do\b": "already compliant",
    r"take it back": "undo with",
    r"\bCharacteristics\b": "About this run",
    r"those that fail come first": "Failing hosts first",
    r"reads right already": "is already correct",
    r"nothing to offer": "no usable key",
    r"may stand between": "possible interception",
    r"set up anew": "reinstalled",
    r"is there already": "already exists",
    r"(is|are) there twice": "duplicate",
    r"turns the audit round": "requires the opposite",
    r"did not help": "no control improved",
    r"[a-z]\(s\)(?! \{)": "1 thing, 2 things: counted() of model/text.py",
}
TEXTS = [
    *PAGES,
    *(ROOT / name for name in ("Jenkinsfile", "Makefile", "Containerfile", "pyproject.toml")),
    *(
        path
        for place in ("src", "checks", "inventories", "tools", "docs")
        for path in sorted((ROOT / place).rglob("*"))
        if path.suffix in {".py", ".sh", ".yml", ".toml", ".html", ".js", ".css", ".json", ".ini"}
        and "egg-info" not in str(path)
    ),
]


@pytest.mark.parametrize("phrase", INSTEAD)
def test_a_phrase_that_has_a_better_name_is_nowhere(phrase: str) -> None:
    pattern = re.compile(phrase.replace(" ", r"\s+"), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {match[0]!r}"
        for path in TEXTS
        for match in pattern.finditer(path.read_text())
    ]
    assert not found, f"say {INSTEAD[phrase]!r} instead"
