"""The quick YAML loader gives what Ansible's own gives: values, types, tags, places and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inventory_corpus import YAML, encrypt

from ipvs_audit.inventory import InventoryError, read_inventory
from ipvs_audit.inventory.ansible_quietly import listening, load_ansible

load_ansible()

from ansible._internal._datatag._tags import Origin, TrustedAsTemplate  # noqa: E402  # after its settings
from ansible._internal._yaml._loader import AnsibleLoader  # noqa: E402
from ansible.module_utils._internal._datatag import AnsibleTagHelper  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402

from ipvs_audit.inventory.loader import Loader, QuickYaml  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = {
    "inventory": YAML,
    "anchors": "x: &x {hosts: {h1: &v {a: b}, h2: *v}}\ny: {vars: {<<: *v, b: 2}, again: *x}\n",
    "merges": "a: &a {k: 1}\nb: &b {k: 2, l: x}\nc: {<<: [*a, *b], m: y}\n",
    "scalars": "a: 1\nb: 0x1f\nc: 1.5\nd: yes\ne: ~\nf: 2001-12-14\ng: '1'\n",
    "named kinds": "h: !!str 1\ni: !!int '7'\nk: !!str\nl: !!float 1\n",
    "blocks": "a: |\n  one\n  two\nb: >-\n  one\n  two\nc: \"\\u00e9\\n\"\nd: {}\ne: []\nf: ''\n",
    "tags": "a: !unsafe '{{ no }}'\nb: !unsafe {c: ['{{ no }}', d]}\ne: '{{ yes }}'\n",
    "sets": "f: !!set {g, h}\n",
    "old tags": "a: !!omap [b: c, d: e]\nf: !!pairs [g: h, g: i]\nj: !!binary aGVsbG8=\n",
    "value key": "a: !!str {=: text}\nb: {=: c}\n",
    "odd keys": "1: a\n2.5: b\ntrue: c\nnull: d\n",
    "no key": "a: b\n? [e, f]\n: g\n",
    "twice": "a: b\na: c\nd: {e: 1, e: 2}\n",
    "json": '{"a": ["b", {"c": null}], "d": 1.5}',
    "only a word": "word\n",
    "nothing": "",
    "itself": "a: &a\n  b: *a\n",
    "comment and marks": "# first\n---\na: b\n...\n",
    "far down": "\n\n\n   \na:\n      b: [c,\n  d]\n",
}  # fmt: skip


def shape(value: Any, above: tuple[int, ...] = ()) -> object:
    """Everything that there is to know of a value: its type, its tags, what it holds."""
    if id(value) in above:
        return "itself"
    above = (*above, id(value))
    tags = {str(type(tag).__name__): repr(tag) for tag in AnsibleTagHelper.tags(value)}
    inner: object = AnsibleTagHelper.as_native_type(value)
    if isinstance(value, dict):
        inner = [(shape(key, above), shape(each, above)) for key, each in value.items()]
    elif isinstance(value, list | tuple):
        inner = [shape(each, above) for each in value]
    elif isinstance(value, set):
        inner = sorted((shape(each, above) for each in value), key=repr)
    elif type(value).__name__ == "EncryptedString":
        inner = value._ciphertext
    return type(value).__name__, tags, inner


def loaded(kind: Any, text: str, trusted: bool) -> object:
    """What a loader makes of a text, or what it says is wrong; and what it warns of."""
    with listening() as heard:
        try:
            stream = TrustedAsTemplate().tag(text) if trusted else text
            loader = kind(Origin(path="/some/hosts.yml").tag(stream))
            result: object = shape(loader.get_single_data())
        except Exception as error:  # noqa: BLE001  # any of theirs
            result = type(error).__name__, str(error)
    return result, [(str(event), event.place) for event in heard.events]


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_loaded_as_by_ansible_tag_by_tag(name: str, trusted: bool) -> None:
    assert loaded(QuickYaml, TEXTS[name], trusted) == loaded(AnsibleLoader, TEXTS[name], trusted)


words = st.sampled_from(
    [
        "a",
        "'1'",
        "1",
        "yes",
        "~",
        "&x b",
        "*x",
        "!unsafe c",
        "!!str 1",
        "<<",
        "=",
        '"d e"',
        "{{ f }}",
    ]
)
documents = st.recursive(
    words,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda them: "[" + ", ".join(them) + "]"),
        st.lists(st.tuples(words, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(document=documents, trusted=st.booleans())
def test_any_text_is_loaded_as_by_ansible(document: str, trusted: bool) -> None:
    assert loaded(QuickYaml, document, trusted) == loaded(AnsibleLoader, document, trusted)


@pytest.mark.parametrize(
    "text",
    [*TEXTS.values(), "a: [", "a: b: c", "a: !nobody b", "\tx: y", "a: *b", "- a\nb: c", "a: \x07"],
)
def test_a_file_is_read_as_by_ansible_and_its_errors_are_ansibles(
    text: str, tmp_path: Path
) -> None:
    source = tmp_path / "file.yml"
    source.write_text(text)

    def read(kind: Any) -> object:
        with listening():
            try:
                return shape(kind().load_from_file(str(source), trusted_as_template=True))
            except Exception as error:  # noqa: BLE001
                return type(error).__name__, str(error)

    assert read(Loader) == read(DataLoader)


def test_an_encrypted_file_is_read_with_its_tags(tmp_path: Path) -> None:
    (tmp_path / "secret.yml").write_text(encrypt(tmp_path, "a: {b: c}\n"))
    from ipvs_audit.inventory.vault import open_vault  # noqa: PLC0415  # after Ansible's settings

    def read(kind: Any) -> object:
        loader = kind()
        open_vault(loader, tmp_path / ".password")
        return shape(loader.load_from_file(str(tmp_path / "secret.yml"), trusted_as_template=True))

    assert read(Loader) == read(DataLoader)
    assert "SourceWasEncrypted" in repr(read(Loader))


def test_the_value_of_an_error_has_its_line_and_column(tmp_path: Path) -> None:
    source = tmp_path / "hosts.yml"
    source.write_text("all:\n  hosts:\n    web1:\n    web2: {ansible_port:   none}\n")
    with pytest.raises(InventoryError, match=r"hosts\.yml:4:28"):
        read_inventory([str(source)])
