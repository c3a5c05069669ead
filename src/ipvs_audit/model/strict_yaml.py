r"""A YAML file of settings, read strictly: UTF-8, plain data, no key twice; errors name the line.

>>> document = StrictYaml.parse(b"floors:\n  alinux3: 5.10.134-14\n", "policy.yml")
>>> document.data
{'floors': {'alinux3': '5.10.134-14'}}
>>> document.place(("floors", "alinux3"))
'policy.yml:2'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_BYTES = 16 * 1024 * 1024
#: Values that a file may hold once each alias is what it stands for.
_MAX_VALUES = 1_000_000


def read_settings(path: Path) -> bytes:
    """The bytes of a settings file; not all where :meth:`StrictYaml.parse` takes it for too large.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(_MAX_BYTES + 1)


class StrictYamlError(Exception):
    """A file that is not plain YAML; the message begins with ``file:line``."""


@dataclass(frozen=True, slots=True)
class StrictYaml:
    """A parsed file that still knows where everything stood.

    Attributes:
        name: the file, as messages name it.
        data: its content: mappings, lists, text, numbers, booleans, dates and None; an empty
            file is an empty mapping.
        root: the YAML tree; None for an empty file.
    """

    name: str
    data: object
    root: yaml.Node | None

    @classmethod
    def parse(cls, raw: bytes, name: str) -> StrictYaml:
        """Parse the content of a file.

        Raises:
            StrictYamlError: for what is not plain YAML.
        """
        if len(raw) > _MAX_BYTES:
            raise StrictYamlError(
                f"{name}: more than {_MAX_BYTES:,} bytes, which no settings file holds"
            )
        loader: _Loader | None = None
        try:
            loader = _Loader(raw.decode("utf-8"))
            root = loader.get_single_node()
            for node in _repeated_keys(root, set()):
                line = node.start_mark.line + 1
                raise StrictYamlError(f"{name}:{line}: {node.value} is set twice: keep one")
            if _values(root, {}) > _MAX_VALUES:
                raise StrictYamlError(
                    f"{name}: its aliases (*name) stand for more than {_MAX_VALUES:,} values, or"
                    " one for itself: write them out"
                )
            data = {} if root is None else loader.construct_document(root)
        except UnicodeDecodeError as error:
            raise StrictYamlError(f"{name}: not UTF-8 text, at byte {error.start}") from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
            raise StrictYamlError(f"{place}: not plain YAML: {error.problem}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            why = str(error).splitlines()[0]
            raise StrictYamlError(f"{name}: not plain YAML: {why}") from None
        finally:
            if loader is not None:
                loader.dispose()
        return cls(name, data, root)

    def place(self, path: tuple[int | str, ...] = ()) -> str:
        """``file:line`` of the key or list item at a path, or of what is nearest above it."""
        node, at = self.root, self.root
        for step in path:
            if isinstance(node, yaml.MappingNode):
                pair = next((p for p in node.value if p[0].value == str(step)), None)
                if pair is None:
                    break
                at, node = pair
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                at = node = node.value[step]
            else:
                break
        return self.name if at is None else f"{self.name}:{at.start_mark.line + 1}"


class _Loader(yaml.SafeLoader):
    """Plain YAML, where a value that cannot be made, e.g. the date 2026-13-01, has a line too."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep)
        except ValueError as wrong:
            raise yaml.constructor.ConstructorError(
                None, None, f"{node.value} cannot be: {wrong}", node.start_mark
            ) from None


def _repeated_keys(node: yaml.Node | None, done: set[int]) -> Iterator[yaml.Node]:
    """Every duplicate key of a mapping; aliases are visited once."""
    if not isinstance(node, yaml.MappingNode | yaml.SequenceNode) or id(node) in done:
        return
    done.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, done)
        return
    seen: set[str] = set()
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                yield key
            seen.add(key.value)
        yield from _repeated_keys(value, done)


def _values(node: yaml.Node | None, known: dict[int, int]) -> int:
    """How many values a node holds with every alias written out; too many for one within itself."""
    if (found := known.get(id(node))) is not None:
        return found
    known[id(node)] = _MAX_VALUES + 1  # for whoever asks while it is counted
    total = 1
    if isinstance(node, yaml.SequenceNode):
        total += sum(_values(each, known) for each in node.value)
    elif isinstance(node, yaml.MappingNode):
        total += sum(_values(each, known) for pair in node.value for each in pair)
    known[id(node)] = total
    return total
