"""ansible-core imported and used without its noise, and without settings that nobody named."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.inventory.ansible_messages import Message, without_quotations
from ipvs_audit.inventory.errors import InventoryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_CONFIG = "ANSIBLE_CONFIG"


@dataclass(slots=True)
class CapturedOutput:
    """What Ansible said while it worked: events in order, and text that it meant to print."""

    events: list[Message] = field(default_factory=list)
    printed: str = ""


@contextmanager
def captured_output() -> Iterator[CapturedOutput]:
    """Catch what Ansible and its plugins say; print nothing."""
    load_ansible()
    internals = import_module("ipvs_audit.inventory.ansible_internals")
    captured = CapturedOutput()
    sink = _sink()
    with (
        redirect_stdout(sink),
        redirect_stderr(sink),
        internals.deferred_warnings() as deferred,
    ):
        try:
            yield captured
        finally:
            captured.events = internals.messages_of(deferred)
            sink.seek(0)
            captured.printed = sink.read()


def load_ansible() -> ModuleType:
    """Import :mod:`ipvs_audit.inventory.ansible_core`.

    Settings come from the ``ansible.cfg`` that ANSIBLE_CONFIG names and from other ANSIBLE_*
    variables, never from an ``ansible.cfg`` that happens to lie in the working directory, the
    home directory or /etc: an audit must not depend on where it is started, and such a file may
    name plugins, that is programs, to load.

    Raises:
        InventoryError: where ANSIBLE_CONFIG names nothing, or Ansible does not accept it.
    """
    named = os.environ.get(_CONFIG)
    if named is not None and not Path(named).expanduser().exists():
        raise InventoryError(f"ANSIBLE_CONFIG names {named}, which does not exist: unset it")
    sink = _sink()
    try:
        with redirect_stdout(sink), redirect_stderr(sink), _settings():
            return import_module("ipvs_audit.inventory.ansible_core")
    except Exception as error:
        if named is None:
            raise
        why = without_quotations(str(error).splitlines()[0])
        raise InventoryError(f"{named}: ansible-core rejects these settings: {why}") from error


@contextmanager
def _settings() -> Iterator[None]:
    if _CONFIG in os.environ:
        yield
        return
    with tempfile.NamedTemporaryFile(prefix="no-settings-", suffix=".cfg") as empty:
        os.environ[_CONFIG] = empty.name
        try:
            yield
        finally:
            del os.environ[_CONFIG]


def _sink() -> io.TextIOWrapper:
    """A stream complete enough for Ansible, which reconfigures stdout when first imported."""
    return io.TextIOWrapper(io.BytesIO(), "utf-8", errors="replace", write_through=True)
