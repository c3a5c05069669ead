"""Keys that YAML merges into a mapping (``<<: *defaults``), and that it may set again.

Ansible warns of such a key as of a duplicate. It is none: nothing is lost that was written there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator


def overrides_a_merge(place: str) -> bool:
    """Whether the key at ``file:line:column`` stands only once in its own mapping.

    False where the file cannot be read, or no key is there.
    """
    path, _, position = place.partition(":")
    line, _, column = position.partition(":")
    if not (line.isdecimal() and column.isdecimal()):
        return False
    wanted = (int(line) - 1, int(column) - 1)
    try:
        document = yaml.compose(Path(path).read_text("utf-8-sig"), Loader=yaml.CSafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return False
    for keys in _keys_of_mappings(document):
        here = [key for key in keys if (key.start_mark.line, key.start_mark.column) == wanted]
        if here:
            return [key.value for key in keys].count(here[0].value) == 1
    return False


def _keys_of_mappings(document: yaml.Node | None) -> Iterator[list[yaml.ScalarNode]]:
    waiting, seen = [document], set[int]()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:  # an alias is the node that it stands for
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            waiting.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
