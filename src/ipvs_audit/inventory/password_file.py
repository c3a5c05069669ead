"""The passwords that Ansible's settings name by a file: of the login, and for sudo."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.model import limits


def read_password_file(file: str, setting: str) -> str:
    """The password, as Ansible reads it (``CLI.get_password_from_file`` of ansible-core 2.19).

    A file that is executable is run, and prints the password.

    Args:
        file: its path.
        setting: Ansible's name of the setting, for messages.

    Raises:
        InventoryError: it gives no password; never quotes what it holds or says.
    """
    path = Path(file)
    try:
        if path.is_file() and os.access(path, os.X_OK):
            told = subprocess.run(
                [path],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=limits.PASSWORD_PROGRAM,
            ).stdout
        else:
            told = _content(path)
        password = told.strip().decode()
    except subprocess.TimeoutExpired:
        raise _refused(
            file, setting, f"it did not end within {limits.PASSWORD_PROGRAM:.0f} s"
        ) from None
    except subprocess.CalledProcessError as error:
        raise _refused(file, setting, f"it ended with status {error.returncode}") from None
    except OSError as error:
        raise _refused(file, setting, error.strerror or "it cannot be read") from None
    except UnicodeDecodeError:
        raise _refused(file, setting, "it is not UTF-8") from None
    if not password or len(told) > limits.PASSWORD_SIZE or not password.isprintable():
        raise _refused(file, setting, "it holds no password, which is one line of text")
    return password


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # a pipe might never end
        raise OSError(0, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(limits.PASSWORD_SIZE + 1)


def _refused(file: str, setting: str, why: str) -> InventoryError:
    return InventoryError(
        f"correct {setting} of Ansible's settings, or give --no-ansible-config: {file}: {why}"
    )
