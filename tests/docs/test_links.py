"""Every link of every page leads somewhere, and every page is found from the list by task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages import PAGES, ROOT, anchors, links

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link}: no such file"
        assert target.is_relative_to(ROOT), f"{link}: outside of the project"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


def test_every_page_of_docs_is_listed_by_task() -> None:
    listed = {(ROOT / "docs" / link).resolve() for link in links(ROOT / "docs" / "index.md")}
    decisions = ROOT / "docs" / "decisions"
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {
        ROOT / "docs" / "index.md"
    }
    assert {page.name for page in pages - listed if page.parent != decisions} == set()


def test_every_page_of_docs_is_in_the_site() -> None:
    site = (ROOT / "mkdocs.yml").read_text()
    pages = [page.relative_to(ROOT).as_posix() for page in PAGES if "decisions" not in page.parts]
    assert [page for page in pages if page.startswith("docs/") and f"{page}\n" not in site] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
