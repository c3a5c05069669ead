"""What a check may ask for.

They are part of the module ``hooks``, which is registered before all other plugins: so ``host`` is
ours, not pytest-testinfra's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testinfra.host import Host

    from ipvs_audit.controls.control import Assessment
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.model.target import Target
    from ipvs_audit.plugin.run import AuditRun
    from ipvs_audit.remedy.remediation import Remediation
    from ipvs_audit.snapshot import Snapshot

RUN: pytest.StashKey[AuditRun] = pytest.StashKey()


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Target:
    """The inventory host under audit: an :class:`ipvs_audit.model.target.Target`."""
    found: Target = request.param
    return found


@pytest.fixture
def snapshot(target: Target, request: pytest.FixtureRequest) -> Snapshot:
    """The host's evidence: an :class:`ipvs_audit.snapshot.Snapshot`."""
    return request.config.stash[RUN].snapshot_for(target.name)


@pytest.fixture
def policy(target: Target, request: pytest.FixtureRequest) -> Policy:
    """What is required of this host: an :class:`ipvs_audit.model.policy.Policy`."""
    return request.config.stash[RUN].audit.policies[target.name]


@pytest.fixture
def assessment(snapshot: Snapshot, request: pytest.FixtureRequest) -> Assessment:
    """Where a check records what was expected and seen."""
    return request.config.stash[RUN].assessment_for(request.function, snapshot)


@pytest.fixture
def remediation(request: pytest.FixtureRequest) -> Remediation | None:
    """What remediation planned and did; None in an audit. No check depends on it."""
    return request.config.stash[RUN].remediation


@pytest.fixture
def host(target: Target, request: pytest.FixtureRequest) -> Host:
    """An ordinary testinfra host, over the connection that brought the evidence."""
    return request.config.stash[RUN].connections.host(target)
