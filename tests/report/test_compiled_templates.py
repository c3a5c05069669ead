"""The templates are compiled once, and again when what they are made of changes."""

import os
import sys
from pathlib import Path

import pytest
from jinja2 import Environment

from ipvs_audit.report.html import compiled_templates
from ipvs_audit.report.html.compiled_templates import OPTIONS, CompiledTemplates


class Counting(Environment):
    """Counts what it compiles."""

    compiled = 0

    def compile(self, *words: object, **named: object) -> object:  # type: ignore[override]
        self.compiled += 1
        return super().compile(*words, **named)  # type: ignore[call-overload]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A template, whose code is kept below tmp_path/kept."""
    monkeypatch.setattr(compiled_templates, "TEMPLATES", tmp_path)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "kept"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    page = tmp_path / "page.html"
    page.write_text("one {{ word }}")
    return page


def rendered() -> tuple[str, int]:
    """The page as another run would render it, and how many templates that compiled."""
    environment = Counting(loader=CompiledTemplates(), autoescape=True, **OPTIONS)
    return environment.get_template("page.html").render(word="<b>"), environment.compiled


def test_a_template_is_compiled_once(page: Path) -> None:
    assert page.exists()
    assert rendered() == ("one &lt;b&gt;", 1)
    assert rendered() == ("one &lt;b&gt;", 0)


def test_a_template_that_was_changed_is_compiled_again_whatever_its_time_and_size(
    page: Path,
) -> None:
    rendered()
    then = page.stat().st_mtime_ns
    page.write_text("two {{ word }}")
    os.utime(page, ns=(then, then))
    assert rendered() == ("two &lt;b&gt;", 1)


@pytest.mark.parametrize(
    ("name", "other"),
    [("version", lambda _: "0.1"), ("OPTIONS", {"trim_blocks": False})],
    ids=["another Jinja", "other options"],
)
def test_what_another_jinja_or_other_options_made_is_not_used(
    page: Path, monkeypatch: pytest.MonkeyPatch, name: str, other: object
) -> None:
    assert page.exists()
    rendered()
    monkeypatch.setattr(compiled_templates, name, other)
    assert rendered()[1] == 1


def test_where_the_code_cannot_be_kept_it_is_compiled_each_time(page: Path) -> None:
    (page.parent / "kept").write_text("a file, where a directory would have to be")
    assert rendered() == ("one &lt;b&gt;", 1)
    assert rendered() == ("one &lt;b&gt;", 1)
