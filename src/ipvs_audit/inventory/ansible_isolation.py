"""ansible-core imported and used without its noise, and with the settings that are to count."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from ipvs_audit.inventory.ansible_messages import Message, without_quotations
from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.inventory.settings import NO_SETTINGS, AnsibleSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_CONFIG = "ANSIBLE_CONFIG"
_ANSIBLE = "ANSIBLE_"


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


def find_settings() -> AnsibleSettings:
    """Ansible's settings as Ansible finds them from here: ansible.cfg and ``ANSIBLE_*``.

    Raises:
        InventoryError: ANSIBLE_CONFIG names nothing, or Ansible does not accept the file.
    """
    sink = _sink()
    with redirect_stdout(sink), redirect_stderr(sink):
        found = import_module("ipvs_audit.inventory.ansible_settings").read_settings()
    assert isinstance(found, AnsibleSettings)  # noqa: S101  # what import_module gives has no type
    return found


def load_ansible(settings: AnsibleSettings = NO_SETTINGS) -> ModuleType:
    """Import :mod:`ipvs_audit.inventory.ansible_core`.

    The settings of a process are those that it is first imported with: which plugins and
    collections there are.

    Raises:
        InventoryError: Ansible does not accept the settings.
    """
    sink = _sink()
    try:
        with redirect_stdout(sink), redirect_stderr(sink), environment(settings), _config(settings):
            return import_module("ipvs_audit.inventory.ansible_core")
    except Exception as error:
        if not settings.file:
            raise
        why = without_quotations(str(error).splitlines()[0])
        raise InventoryError(
            f"{settings.file}: ansible-core rejects these settings: {why}; "
            "--no-ansible-config leaves Ansible's settings out"
        ) from error


@contextmanager
def environment(settings: AnsibleSettings) -> Iterator[None]:
    """The environment without Ansible's variables, where settings are not to be used."""
    hidden = (
        {} if settings.used else {n: v for n, v in os.environ.items() if n.startswith(_ANSIBLE)}
    )
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


@contextmanager
def _config(settings: AnsibleSettings) -> Iterator[None]:
    """Have Ansible read no other file than the one that was found, while it is imported."""
    before = os.environ.get(_CONFIG)
    with tempfile.NamedTemporaryFile(prefix="no-settings-", suffix=".cfg") as empty:
        os.environ[_CONFIG] = settings.file or empty.name
        try:
            yield
        finally:
            if before is None:
                del os.environ[_CONFIG]
            else:
                os.environ[_CONFIG] = before


def _sink() -> io.TextIOWrapper:
    """A stream complete enough for Ansible, which reconfigures stdout when first imported."""
    return io.TextIOWrapper(io.BytesIO(), "utf-8", errors="replace", write_through=True)
