"""The passwords of Ansible Vault: from files, never from a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultSecretsContext, get_file_vault_secret

from ipvs_audit.inventory.errors import InventoryError


def open_vault(loader: Any, password_file: Path | None) -> None:  # noqa: ANN401
    """Give Ansible the vault passwords: for whole files by the loader, for single values at large.

    They come from the identities and the file that Ansible's own settings name (also
    ANSIBLE_VAULT_IDENTITY_LIST, ANSIBLE_VAULT_PASSWORD_FILE), and from the file given here. A file
    that is executable is run, and prints the password.

    Raises:
        InventoryError: for a password that cannot be had.
    """
    secrets: list[tuple[str, Any]] = []
    for label, path in _files(password_file):
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


def _files(password_file: Path | None) -> list[tuple[str | None, str]]:
    configured = constants.config.get_config_value
    found: list[tuple[str | None, str]] = []
    for slug in configured("DEFAULT_VAULT_IDENTITY_LIST") or []:
        label, _, path = str(slug).rpartition("@")
        if path.startswith("prompt"):
            raise InventoryError("the audit cannot ask for a vault password: put it in a file")
        found.append((label or None, path))
    if password_file is not None:
        found.append((None, str(password_file)))
    if (default := configured("DEFAULT_VAULT_PASSWORD_FILE")) is not None:
        found.append((None, str(default)))
    return found


def _why_no_password(path: Path) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "is a directory"
    return "holds no password"
