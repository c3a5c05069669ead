"""The passwords of Ansible Vault: from files, never from a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultSecretsContext, get_file_vault_secret

from ipvs_audit.inventory.errors import InventoryError

if TYPE_CHECKING:
    from collections.abc import Sequence


def open_vault(
    loader: Any,  # noqa: ANN401
    named: Sequence[tuple[str | None, str]],
    password_file: Path | None,
) -> None:
    """Give Ansible the vault passwords: for whole files by the loader, for single values at large.

    A file that is executable is run, and prints the password.

    Args:
        loader: Ansible's.
        named: label and file of those that Ansible's settings name.
        password_file: the one that is given here.

    Raises:
        InventoryError: for a password that cannot be had.
    """
    secrets: list[tuple[str, Any]] = []
    for label, path in _files(named, password_file):
        try:
            secret = get_file_vault_secret(filename=path, vault_id=label, loader=loader)
            secret.load()
        except AnsibleError:
            why = _why_no_password(Path(path).expanduser())
            raise InventoryError(f"vault password file {path}: {why}") from None
        secrets.append((label or "default", secret))
        loader.set_vault_secrets(secrets)
    # There is one context for the process, and it takes its first value only.
    context = VaultSecretsContext.current(optional=True)
    if context is None:
        context = VaultSecretsContext([])
        VaultSecretsContext.initialize(context)
    context.secrets = secrets


def _files(
    named: Sequence[tuple[str | None, str]], password_file: Path | None
) -> list[tuple[str | None, str]]:
    if any(path.startswith("prompt") for _, path in named):
        raise InventoryError("the audit cannot ask for a vault password: put it in a file")
    return [*named, *([(None, str(password_file))] if password_file is not None else [])]


def _why_no_password(path: Path) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "is a directory"
    return "holds no password"
