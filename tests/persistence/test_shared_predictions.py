"""Hosts that share a configuration share what it leads to, and no others do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ipvs_audit.model.policy import Policy
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.host_config import HostConfig, host_config_of
from ipvs_audit.persistence.persisted_value import PersistedValue, persisted_value
from ipvs_audit.persistence.prediction import Accepts, Prediction
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot import Snapshot, store

RECORDINGS = Path(__file__).parents[1] / "recordings"
POLICY = Policy()

Predict = Callable[[HostConfig, Accepts], Prediction | PersistedValue]


def recorded() -> Snapshot:
    """A host whose hook sets the value."""
    (found,) = store.read(RECORDINGS / "compliant.jsonl")
    assert isinstance(found, Snapshot)
    return found


@pytest.mark.parametrize("predict", [after_reload, after_boot, persisted_value])
def test_hosts_of_one_image_are_predicted_once(predict: Predict) -> None:
    one, other = (host_config_of(replace(recorded(), target=name)) for name in ("web1", "web2"))
    assert predict(one, POLICY.accepts) is predict(other, POLICY.accepts)


@pytest.mark.parametrize("predict", [after_reload, after_boot])
def test_a_host_with_another_file_is_predicted_by_its_own(
    predict: Callable[[HostConfig, Accepts], Prediction],
) -> None:
    host = recorded()
    hooks = host.sections["modprobe"]
    bare = host.with_sections(replace(hooks, output="end\n"))
    by_hook, without = (predict(host_config_of(one), POLICY.accepts) for one in (host, bare))
    assert (by_hook.value, without.value) == (0, 1)


@pytest.mark.parametrize("predict", [after_reload, after_boot, persisted_value])
def test_a_policy_of_its_own_gets_its_own_prediction(predict: Predict) -> None:
    config = host_config_of(recorded())
    other = Policy(estimation="enabled")
    assert predict(config, POLICY.accepts) is not predict(config, other.accepts)
