"""The private parts of ansible-core that are used, each with what needs it; no other module may.

ansible-core is held to one minor version for them, and a test names the one that a new version
takes away. Import it after :func:`ipvs_audit.inventory.ansible_isolation.load_ansible` has read the
settings.
"""

from __future__ import annotations

import sys
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

from ansible._internal._datatag._tags import Origin
from ansible._internal._display_utils import DeferredWarningContext
from ansible._internal._errors._error_factory import ControllerEventFactory
from ansible.inventory.manager import InventoryManager

from ipvs_audit.inventory.ansible_messages import Message, message_of
from ipvs_audit.inventory.files import is_script

_YAML = (".yml", ".yaml", ".json")


def origin_of(value: object) -> str | None:
    """``file:line:column`` where a value was written; empty for no file, None for no tag at all.

    Needed: an error about a variable names its place. Only the tags of values know it.
    """
    origin = Origin.get_tag(value)
    return None if origin is None else str(origin) if origin.path else ""


def without_mark(content: bytes) -> bytes:
    """A file's bytes without a byte order mark, and still with the place that they come from.

    Needed: the place is a tag of the object, which a new one has not.
    """
    if not content.startswith(BOM_UTF8):
        return content
    rest, origin = bytes(content).removeprefix(BOM_UTF8), Origin.get_tag(content)
    tagged: bytes = rest if origin is None else origin.tag(rest)
    return tagged


def explain(error: BaseException) -> Message:
    """What Ansible has to say about an exception of its own.

    Needed: the causes of an exception and their places. Its public text has the lines of the file
    as well, and with them passwords.
    """
    return message_of(ControllerEventFactory.from_exception(error, include_traceback=False))


def deferred_warnings() -> Any:  # noqa: ANN401
    """A context that keeps Ansible's warnings, for ``messages_of``.

    Needed: a source that cannot be read is a warning to Ansible and an error to an audit.
    """
    return DeferredWarningContext(variables={})


def messages_of(deferred: Any) -> list[Message]:  # noqa: ANN401
    """The warnings that a context of :func:`deferred_warnings` has kept, in order."""
    return [message_of(each.event) for each in deferred.get_warnings()]


def forget_files() -> None:
    """Ansible remembers for the life of the process which variable files there are.

    Needed: a second reading sees what has changed.
    """
    plugin = sys.modules.get("ansible.plugins.vars.host_group_vars")
    for known in ("FOUND", "NAK"):
        getattr(plugin, known, set()).clear()


class Sources(InventoryManager):  # type: ignore[misc]
    """Never takes YAML or a program for INI, where nearly any word is a host.

    Needed: which plugins may read a source is the same for all sources by Ansible's settings.
    """

    def parse_source(self, source: str, cache: bool = False) -> bool:
        """As the base class; remembers the file that the plugins are chosen for."""
        self._source = Path(source)
        return bool(super().parse_source(source, cache=cache))

    def _fetch_inventory_plugins(self) -> list[Any]:
        plugins = list(super()._fetch_inventory_plugins())
        if self._source.suffix in _YAML or is_script(self._source):
            return [each for each in plugins if each.NAME not in {"ini", "toml"}]
        return plugins
