"""Property tests run without a clock: these machines are noisy. ``make fuzz`` looks longer."""

import os

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None)
#: For every save (``make check``); ``make test`` tries more.
settings.register_profile("check", deadline=None, max_examples=20)
settings.load_profile(os.environ.get("IPVS_AUDIT_TEST_PROFILE", "default"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``--dist loadgroup`` a folder stays in one process, as its servers and users do."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.parent)))
