"""The policy file, strict and clear; and what a host's own variables change of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipvs_audit.model.policy import Policy, PolicyError, load_policy, policy_for
from ipvs_audit.model.strict_yaml import StrictYaml, StrictYamlError
from ipvs_audit.model.target import Target

SHIPPED = Path(__file__).parents[2] / "inventories" / "policy.yml"


def test_the_shipped_policy_is_the_default_in_full() -> None:
    policy, digest = load_policy(SHIPPED)
    assert policy == Policy() == load_policy(None)[0]
    assert digest == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert all(f"\n{name}:" in SHIPPED.read_text() for name in Policy.model_fields)


def test_disabled_accepts_zero_and_writes_zero() -> None:
    policy = Policy()
    assert [policy.accepts(value) for value in (0, 1, 2)] == [True, False, False]
    assert (policy.wanted, policy.demand) == (0, "= 0")


def test_enabled_accepts_all_but_zero_and_writes_one() -> None:
    policy = Policy(estimation="enabled")
    assert [policy.accepts(value) for value in (0, 1, 2)] == [False, True, True]
    assert (policy.wanted, policy.demand) == (1, "other than 0")


WRONG = [
    ("estimation: off\n", ":1: estimation is False; must be 'disabled' or 'enabled'; in quotes"),
    ("estimation: gone\n", ":1: estimation is 'gone'; must be 'disabled' or 'enabled'"),
    ("\nestimaton: disabled\n",
     ":2: estimaton is not a policy setting (did you mean estimation?)"),
    ("zzz: 1\n",
     ":1: zzz is not a policy setting (known: accept_recipe_side_effects, accept_stat"),
    ("ack: perhaps\n", ":1: ack is 'perhaps'; "),
    ("floors: {alinux3: 5.10}\n", ":1: floors.alinux3 is 5.1; must be text: put it in quotes"),
    ("floors:\n  alinux2: 4.19.91-22\n  alinux3: new\n", ":3: floors.alinux3 is 'new'; must look"),
    ("floors: [a]\n", ":1: floors is a list; "),
    ("severity: {EST-4: hihg}\n", ":1: severity.EST-4 is 'hihg'; must be 'high', 'medium' or "),
    ("severity: {est4: high}\n", ":1: severity.est4 is 'est4'; must look like a control's id"),
    ("severity:\n", ":1: severity is empty; "),
    ("sample_seconds: 4\n", ":1: sample_seconds is 4; "),
    ("sample_seconds: 61\n", ":1: sample_seconds is 61; "),
    ("sample_seconds: 5.5\n", ":1: sample_seconds is 5.5; "),
    ("ack: true\nack: false\n", ":2: ack is set twice: keep one"),
    ("floors: {a: 1.2, a: 1.3}\n", ":1: a is set twice"),
    ("- x\n", ":1: a policy is a mapping"),
    ("just words\n", ":1: a policy is a mapping"),
    ("a: b: c\n", ":1:5: not plain YAML: mapping values"),
    ("ack: [\n", ":2:1: not plain YAML: "),
    ("\tack: true\n", ":1:1: not plain YAML: "),
    ("ack: !!python/object/apply:os.system [id]\n", ":1:6: not plain YAML: could not determine"),
    ("? [a]\n: 1\n", ":1:3: not plain YAML: "),
    ("a: 1\n---\nb: 2\n", "not plain YAML: "),
    ("1: 2\n", ":1: 1 "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), WRONG, ids=[text.strip() for text, _ in WRONG])
def test_what_is_wrong_is_named_with_file_and_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yml"
    path.write_text(text)
    with pytest.raises(PolicyError) as refused:
        load_policy(path)
    assert f"{path}{says}" in str(refused.value) or says in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yml", tmp_path):
        with pytest.raises(PolicyError, match="cannot read the policy"):
            load_policy(path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="binary: not UTF-8 text, at byte 0"):
        load_policy(tmp_path / "binary")


def test_an_empty_file_asks_for_the_default(tmp_path: Path) -> None:
    (tmp_path / "policy.yml").write_text("# nothing\n")
    assert load_policy(tmp_path / "policy.yml")[0] == Policy()


def test_variables_of_a_host_change_its_policy_alone() -> None:
    common = Policy(sample_seconds=10, severity={"EST-1": "low"})
    host = Target("web1", policy={"estimation": "enabled", "ack": "true", "sample_seconds": "20"})
    assert policy_for(common, Target("web2")) is common
    own = policy_for(common, host)
    assert (own.estimation, own.ack, own.sample_seconds) == ("enabled", True, 20)
    assert own.severity == {"EST-1": "low"}
    assert common == Policy(sample_seconds=10, severity={"EST-1": "low"})


def test_floors_and_severities_of_a_host_are_merged_key_by_key() -> None:
    host = Target(
        "web1", policy={"floors": {"alinux3": "5.10.134-15"}, "severity": {"EST-4": "low"}}
    )
    own = policy_for(Policy(severity={"EST-1": "low"}), host)
    assert own.floors == {"alinux2": "4.19.91-22", "alinux3": "5.10.134-15"}
    assert own.severity == {"EST-1": "low", "EST-4": "low"}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"estimation": "off"}, "host web1: ipvs_audit_estimation is 'off'; must be"),
        ({"floors": {"alinux3": 5.1}}, "host web1: ipvs_audit_floors.alinux3 is 5.1; must be text"),
        ({"floors": "5.10"}, "host web1: ipvs_audit_floors is '5.10'"),
        ({"sample_seconds": 3}, "host web1: ipvs_audit_sample_seconds is 3"),
        ({"estimaton": 3}, "ipvs_audit_estimaton is not a policy setting"),
    ],
)
def test_a_wrong_variable_names_the_host(variables: dict[str, object], says: str) -> None:
    with pytest.raises(PolicyError) as refused:
        policy_for(Policy(), Target("web1", policy=variables))
    assert says in str(refused.value)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_document_or_one_clear_error(raw: bytes) -> None:
    try:
        document = StrictYaml.parse(raw, "f.yml")
    except StrictYamlError as error:
        assert str(error).startswith("f.yml")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert document.place(("no", "such", 3)).startswith("f.yml")


def test_deep_or_self_holding_yaml_does_not_exhaust_the_reader() -> None:
    with pytest.raises(StrictYamlError, match="not plain YAML"):
        StrictYaml.parse(b"[" * 100_000, "f.yml")
    with pytest.raises(StrictYamlError, match="its aliases"):
        StrictYaml.parse(b"&a [*a, *a]\n", "f.yml")


def test_a_place_is_that_of_the_key_or_of_what_holds_it() -> None:
    document = StrictYaml.parse(b"a:\n  - x\n  - b: 1\n", "f.yml")
    assert document.place(("a", 1, "b")) == "f.yml:3"
    assert document.place(("a", "nothing")) == "f.yml:1"
    assert StrictYaml.parse(b"", "f.yml").place(("a",)) == "f.yml"


def test_references_are_the_whole_runs_and_no_hosts() -> None:
    with pytest.raises(PolicyError, match=r"set references in the policy file.*host web1 has"):
        policy_for(Policy(), Target("web1", policy={"references": {"EST-4": ["ACME-1"]}}))


def test_a_reference_is_one_of_a_list(tmp_path: Path) -> None:
    path = tmp_path / "policy.yml"
    path.write_text("references: {EST-4: [ACME-LNX-017]}\n")
    assert load_policy(path)[0].references == {"EST-4": ["ACME-LNX-017"]}
    path.write_text("references: {EST-4: ACME-LNX-017}\n")
    with pytest.raises(PolicyError, match=r":1: references\.EST-4 is 'ACME-LNX-017'.*list"):
        load_policy(path)
