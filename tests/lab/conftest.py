"""Guests for tests: `fleet` is the whole embedded fleet, `boot` makes one of your own."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import pytest
from lab.process import LabError

from lab import fleet as lab_fleet
from lab import image, qemu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.guest import Guest

HERE = os.path.dirname(__file__)  # noqa: PTH120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker("lab")


@pytest.fixture(scope="session")
def _qemu_works() -> None:
    """Skips where QEMU truly cannot run; in CI that is a failure."""
    try:
        qemu.version()
        image.ensure()
    except LabError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def fleet(_qemu_works: None) -> Iterator[Path]:
    """The folder of the whole fleet: guests by `guest(name)`, and `inventory.yml`.

    Of a module, not of the run: its guests have traffic, and slow down what runs beside them.
    """
    lab_fleet.stop_orphans()
    folder = lab_fleet.own_folder() / "fleet"
    lab_fleet.up(folder)
    yield folder
    died = lab_fleet.check(folder)
    lab_fleet.down(folder)
    assert not died, "\n".join(died)


@pytest.fixture(scope="module")
def guest(fleet: Path) -> Callable[[str], Guest]:
    """A guest of the fleet by its name; tests leave it as they found it."""
    return functools.partial(lab_fleet.guest, fleet)


@pytest.fixture
def boot(_qemu_works: None, tmp_path: Path) -> Iterator[Callable[..., Guest]]:
    """Boots a guest of the test's own, as `boot("6.1", states=["recipe"])`; stopped afterwards."""
    made: list[Guest] = []

    def one(series: str, **options: object) -> Guest:
        folder = lab_fleet.own_folder() / f"{tmp_path.name}-{len(made)}"
        made.append(lab_fleet.boot(series, folder, **options))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for guest in made:
        guest.stop()
