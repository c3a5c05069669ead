"""Ansible's variables and settings that say how to become another user, and what sudo's mean. Pure.

>>> is_sudo("/usr/local/bin/sudo"), is_sudo("sudo su -"), other_identity("-H -S -n -u oracle")
(True, False, '-u')
"""

from __future__ import annotations

import getopt
import re
import shlex

from ipvs_audit.inventory.settings import PREFIX

# Where Ansible knows several names for one thing, the last one that is set wins.
BECOME = (PREFIX + "become", "ansible_become")
METHOD = (PREFIX + "become_method", "ansible_become_method")
USER = (PREFIX + "become_user", "ansible_become_user", "ansible_sudo_user")
PASSWORD = (
    PREFIX + "become_password",
    "ansible_become_password", "ansible_become_pass", "ansible_sudo_pass",
)  # fmt: skip
PROGRAM = (PREFIX + "become_exe", "ansible_become_exe", "ansible_sudo_exe")
FLAGS = (PREFIX + "become_flags", "ansible_become_flags", "ansible_sudo_flags")

#: All of them. What names nobody and nothing is read as well, and changes nothing.
NAMES = frozenset((*BECOME, *METHOD, *USER, *PASSWORD, *PROGRAM, *FLAGS))

#: Names of the one plugin that is known. One of that name in another collection may do otherwise.
METHODS = frozenset({"sudo", "ansible.builtin.sudo", "ansible.legacy.sudo"})

_SUDO = re.compile(r"(/([\w.+-]+/)*)?sudo")
#: sudo(8): options without an argument, and with one.
_SHORT = "BbEeHiKklNnPSsVvA" + "".join(f"{letter}:" for letter in "aCcDghpRrTtUu")
_LONG = (
    *("askpass", "bell", "background", "edit", "set-home", "login", "remove-timestamp"),
    *("reset-timestamp", "list", "no-update", "non-interactive", "preserve-groups", "stdin"),
    *("shell", "version", "validate"),
    *("auth-type=", "close-from=", "login-class=", "chdir=", "group=", "host=", "prompt="),
    *("chroot=", "role=", "command-timeout=", "type=", "other-user=", "user="),
)
#: Those that name another user, group, role, host, root or password, or run nothing.
_REFUSED = frozenset({
    "-A", "-a", "-c", "-e", "-g", "-h", "-l", "-R", "-r", "-t", "-U", "-u", "-V", "-v",
    "--askpass", "--auth-type", "--login-class", "--edit", "--group", "--host", "--list",
    "--chroot", "--role", "--type", "--other-user", "--user", "--version", "--validate",
})  # fmt: skip


def is_sudo(program: str) -> bool:
    """Whether it is sudo, by its name or at a path, and nothing with it."""
    return _SUDO.fullmatch(program) is not None


def other_identity(flags: str) -> str:
    """The first option of sudo that names another user, group, role, host, root or password.

    Empty for none; what sudo(8) does not know counts as one.
    """
    try:
        words = [word for word in shlex.split(flags) if not word.startswith("--preserve-env")]
        options, command = getopt.getopt(words, _SHORT, list(_LONG))
    except (ValueError, getopt.GetoptError):
        return flags
    found = [name for name, _ in options if name in _REFUSED]
    return next(iter((*found, *command)), "")
