r"""Aliases (``*name``) of an inventory's YAML that stand for more values than memory holds.

ansible-core writes every alias out, and asks nobody how much that is: five lines can mean a billion
values. So they are counted before it reads them.

>>> written_out("a: &a [1, 2]\nb: &b [*a, *a]\nc: [*b, *b]")
29
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.inventory.files import files_read, is_host_list
from ipvs_audit.model import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALIAS = re.compile(rb"(?:^|[\s\[{,:])\*[^\s,\]}]")


def refuse_bombs(sources: Sequence[str]) -> None:
    """Look at the aliases of every file that Ansible may read as YAML.

    Args:
        sources: as :func:`ipvs_audit.inventory.files.checked_sources` gives them.

    Raises:
        InventoryError: for a file of which Ansible would make too much.
    """
    for source in sources:
        if is_host_list(source):
            continue
        for _, path in files_read(source):
            try:
                content = path.read_bytes()
            except OSError:
                continue  # whoever reads it says so
            if not _ALIAS.search(content):
                continue
            if written_out(content.decode("utf-8-sig", "replace")) > limits.INVENTORY_VALUES:
                raise InventoryError(
                    f"write the aliases (*name) in {path} out, or use fewer: they stand for"
                    f" more than {limits.INVENTORY_VALUES:,} values"
                )


def written_out(text: str) -> int:
    """How many values and keys a YAML text holds with every alias written out.

    An alias for what it stands in itself counts as too many. What is no YAML counts up to the
    place of the error: Ansible comes no further.
    """
    count = _Count()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            count.take(event)
            if count.total > limits.INVENTORY_VALUES:
                break
    except yaml.YAMLError:
        pass
    return count.total


class _Count:
    def __init__(self) -> None:
        self.total = 0
        self._anchors: dict[str | None, int] = {}
        self._open: list[tuple[str | None, int]] = []  # an anchor, and the total before it

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            self.total += self._anchors.get(event.anchor, 0)
        elif isinstance(event, yaml.ScalarEvent):
            self.total += 1
            self._anchors[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append((event.anchor, self.total))
            self.total += 1
            self._anchors[event.anchor] = limits.INVENTORY_VALUES + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self._open.pop()
            self._anchors[anchor] = self.total - before
