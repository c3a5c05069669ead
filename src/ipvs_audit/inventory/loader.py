"""YAML as Ansible loads it, tags and all, for less: a fleet's inventory is mostly strings.

Ansible tags every value with the file, line and column where it was written, and every string with
the trust to be a template. Both are needed: for the place in an error, for templates and vaults.
What is spared is how the tags are made: Ansible validates and copies them at every step. The result
is the same object by object, which the tests compare.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ansible._internal._datatag._tags import Origin, TrustedAsTemplate
from ansible._internal._json._profiles import _legacy
from ansible._internal._yaml._loader import AnsibleLoader
from ansible.module_utils._internal._datatag import AnsibleTaggedObject, _AnsibleTagsMapping
from ansible.parsing.dataloader import DataLoader

_STRING = "tag:yaml.org,2002:str"
_TRUST = TrustedAsTemplate()
_TAGGED_STRING = AnsibleTaggedObject._get_tagged_type(str)  # noqa: SLF001  # there is no public way
_TAGGED_MAPPING = AnsibleTaggedObject._get_tagged_type(dict)  # noqa: SLF001
_SET_PATH, _SET_DESCRIPTION, _SET_LINE, _SET_COLUMN = (
    getattr(Origin, name).__set__ for name in ("path", "description", "line_num", "col_num")
)


class QuickYaml(AnsibleLoader):  # type: ignore[misc]
    """Ansible's own YAML loader, with a shorter way to the tags of strings and mappings."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: ANN401
        """As the base class, which guards also strings against holding themselves."""
        if node.tag != _STRING or type(node) is not yaml.ScalarNode:
            return super().construct_object(node, deep)
        known = self.constructed_objects
        if (value := known.get(node)) is None:
            value = known[node] = self.construct_yaml_str(node)
        return value

    def construct_yaml_str(self, node: Any) -> Any:  # noqa: ANN401
        """A string with its place, and trusted where its file is."""
        if type(node) is not yaml.ScalarNode:  # such as a mapping that says !!str
            return super().construct_yaml_str(node)
        value = _TAGGED_STRING(node.value)
        tags = _AnsibleTagsMapping({Origin: self._node_position_info(node)})
        if self.trusted_as_template:
            tags[TrustedAsTemplate] = _TRUST
        value._ansible_tags_mapping = tags  # noqa: SLF001
        return value

    def construct_yaml_map(self, node: Any) -> Iterator[Any]:  # noqa: ANN401
        """A mapping with its place."""
        data = _TAGGED_MAPPING()
        data._ansible_tags_mapping = _AnsibleTagsMapping(  # noqa: SLF001
            {Origin: self._node_position_info(node)}
        )
        yield data
        data.update(self.construct_mapping(node))

    def _node_position_info(self, node: Any) -> Any:  # noqa: ANN401
        """The place of a node; not validated, as it is that of the file with other numbers."""
        file, mark = self._origin, node.start_mark
        origin = Origin.__new__(Origin)
        _SET_PATH(origin, file.path)
        _SET_DESCRIPTION(origin, file.description)
        _SET_LINE(origin, mark.line + file.line_num)
        _SET_COLUMN(origin, mark.column + 1)
        return origin


class Loader(DataLoader):  # type: ignore[misc]
    """Parses a source once; Ansible does it once a plugin, and copies the whole each time."""

    def __init__(self) -> None:
        super().__init__()
        self._shared: dict[str, Any] = {}

    def load(
        self,
        data: str,
        file_name: str | None = None,
        show_content: bool = True,
        json_only: bool = False,
    ) -> Any:  # noqa: ANN401
        """As the base class; whatever goes wrong is left to it, which finds the words."""
        if not json_only:
            placed = Origin.get_or_create_tag(data, file_name).tag(data)
            for load in (_load_json, _load_yaml):
                try:
                    return load(placed)
                except Exception:  # noqa: BLE001, S112  # as Ansible, which tries JSON and then YAML
                    continue
        return super().load(data, file_name, show_content, json_only)

    def load_from_file(
        self,
        file_name: str,
        cache: str = "all",
        unsafe: bool = False,
        json_only: bool = False,
        trusted_as_template: bool = False,
    ) -> Any:  # noqa: ANN401
        """As the base class; a source that configures no plugin is shared between plugins."""
        if cache == "none" and not json_only:
            if file_name not in self._shared:
                data = super().load_from_file(
                    file_name, cache, unsafe=True, trusted_as_template=True
                )
                is_plain = isinstance(data, Mapping) and "plugin" not in data
                self._shared[file_name] = data if is_plain else None
            if (shared := self._shared[file_name]) is not None:
                return shared
        return super().load_from_file(file_name, cache, unsafe, json_only, trusted_as_template)


def _load_json(text: str) -> Any:  # noqa: ANN401
    return json.loads(text, cls=_legacy.Decoder)


def _load_yaml(text: str) -> Any:  # noqa: ANN401
    return yaml.load(text, Loader=QuickYaml)  # noqa: S506  # a safe loader underneath
