"""Two hundred network namespaces on each kernel, `make faults`: minutes of an emulated CPU.

Not part of `make test`; there, twenty are set on a guest, and two hundred on this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from crowded import set_and_put_back
from remedied import Remedied

from lab import fleet as lab_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def host(request: pytest.FixtureRequest, _qemu_works: None) -> Iterator[Remedied]:
    folder = lab_fleet.own_folder() / f"many-{request.param}"
    guest = lab_fleet.boot(request.param, folder, name="many", states=["unset"])
    yield Remedied(guest)
    guest.stop()


def test_all_are_set_though_some_end_and_all_are_put_back(host: Remedied) -> None:
    set_and_put_back(host, namespaces=200)
