"""From the variables of one host to its Target. Pure: knows nothing of Ansible or files.

>>> target_of("web1", ("web",), {"ansible_port": Variable("2222"), "ansible_user": Variable("ops")})
Target(name='web1', groups=('web',), connection='smart', ..., port=2222, user='ops', ...)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NoReturn, cast

from pydantic import SecretStr

from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.model.policy import Policy, unknown_name
from ipvs_audit.model.target import Become, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN = "ipvs_audit_"
EXCLUDE = OWN + "exclude"
NODE = OWN + "node"
TRANSPORT = OWN + "transport"

# Where Ansible knows several names for one thing, the last one that is set wins.
ADDRESS = ("ansible_host", "ansible_ssh_host")
PORT = ("ansible_port", "ansible_ssh_port")
USER = ("ansible_user", "ansible_ssh_user")
PASSWORD = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
KEY_FILE = ("ansible_private_key_file", "ansible_ssh_private_key_file")
# All of these count, in this order.
SSH_ARGS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
CONNECTION = ("ansible_connection",)
BECOME = ("ansible_become",)
BECOME_METHOD = ("ansible_become_method",)
BECOME_USER = ("ansible_become_user", "ansible_sudo_user")
BECOME_PASSWORD = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")

SUPPORTED = frozenset(
    ADDRESS + PORT + USER + PASSWORD + KEY_FILE + SSH_ARGS + CONNECTION
    + BECOME + BECOME_METHOD + BECOME_USER + BECOME_PASSWORD
)  # fmt: skip

#: Variables that change how Ansible reaches a host, and that this suite does not follow.
IGNORED = frozenset(
    {
        "ansible_become_exe",
        "ansible_become_flags",
        "ansible_private_key",
        "ansible_private_key_passphrase",
        "ansible_ssh_private_key",
        "ansible_ssh_private_key_passphrase",
        "ansible_sudo_exe",
        "ansible_sudo_flags",
    }
)

_TRANSPORTS = {"auto", "paramiko", "openssh"}
_TRUE = {"true", "t", "yes", "y", "on", "1", "1.0"}
_FALSE = {"false", "f", "no", "n", "off", "0", "0.0"}
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f]")
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Variable:
    """A value as Ansible resolved it: plain Python data, and where it was written.

    Attributes:
        value: may be a secret.
        place: ``file:line:column``; empty where Ansible did not say.
    """

    value: object = field(repr=False)
    place: str = ""


def concerns_us(name: str) -> bool:
    """Whether a variable can change a Target."""
    return name in SUPPORTED or name.startswith(OWN)


def fit(word: str) -> bool:
    """Whether a name can stand as one argument of a command."""
    return not (_UNFIT.search(word) or word.startswith("-"))


def target_of(name: str, groups: tuple[str, ...], variables: Mapping[str, Variable]) -> Target:
    """Make the Target of one host.

    Args:
        name: its inventory name.
        groups: as :class:`Target` wants them.
        variables: those that concern us, templates resolved.

    Raises:
        InventoryError: naming the host, the variable and the place, never a secret.
    """
    host = _Host(name, variables)
    if not fit(address := host.word(ADDRESS) or name):
        raise InventoryError(
            f"host {name!r}: its name cannot be used as an address: set ansible_host"
        )
    return Target(
        name=name,
        groups=groups,
        connection=host.connection(),
        transport=host.transport(),
        address=address,
        port=host.port(),
        user=host.word(USER),
        password=host.secret(PASSWORD),
        key_file=host.text(KEY_FILE),
        ssh_args=host.all_texts(SSH_ARGS),
        become=host.become(),
        node=NODE in variables and host.flag(NODE),
        excluded=host.excluded(),
        policy=host.policy(),
    )


@dataclass(frozen=True, slots=True)
class _Host:
    name: str
    variables: Mapping[str, Variable]

    def refuse(self, variable: str, why: str) -> NoReturn:
        place = self.variables[variable].place
        raise InventoryError(
            f"host {self.name}: {variable} {why}" + (f" ({place})" if place else "")
        )

    def last(self, names: tuple[str, ...]) -> tuple[str, object] | None:
        """The name that wins and its value; None and empty text count as not set."""
        if self.variables.keys().isdisjoint(names):  # nearly always, on a big fleet
            return None
        for name in reversed(names):
            found = self.variables.get(name)
            if found is not None and found.value is not None and found.value != "":
                return name, found.value
        return None

    def text(self, names: tuple[str, ...]) -> str | None:
        """Text; a number, which INI makes of digits, is text too."""
        if (found := self.last(names)) is None:
            return None
        name, value = found
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.refuse(name, f"must be text, not {_kind(value)}: put it in quotes")
        return str(value)

    def word(self, names: tuple[str, ...]) -> str | None:
        """Text that can stand as one argument: no blanks, no leading dash, no open template."""
        if (found := self.last(names)) is None:
            return None
        name, text = found[0], self.text(found[:1])
        if text is not None and not fit(text):
            self.refuse(name, f"must be one word without a leading dash, not {text!r}")
        if text is not None and "{{" in text:
            self.refuse(name, "is a template that Ansible does not trust, so it is not resolved")
        return text

    def all_texts(self, names: tuple[str, ...]) -> str:
        return " ".join(text for name in names if (text := self.text((name,))))

    def secret(self, names: tuple[str, ...]) -> SecretStr | None:
        text = self.text(names)
        return None if text is None else SecretStr(text)

    def port(self) -> int | None:
        if (found := self.last(PORT)) is None:
            return None
        name, value = found
        digits = str(value)
        if isinstance(value, bool | float) or not (digits.isascii() and digits.isdigit()):
            self.refuse(name, f"must be a port number, not {_shown(value)}")
        if not 1 <= int(digits) <= _MAX_PORT:
            self.refuse(name, f"must be a port number from 1 to {_MAX_PORT}, not {digits}")
        return int(digits)

    def flag(self, name: str) -> bool:
        """A boolean as Ansible reads it: INI's ``False``, ``no`` and ``0`` are false."""
        value = self.variables[name].value
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            self.refuse(name, f"must be true or false, not {_shown(value)}")
        return word in _TRUE

    def connection(self) -> str:
        """The plugin's short name."""
        short = (self.word(CONNECTION) or "smart").rsplit(".", 1)[-1]
        return "paramiko" if short == "paramiko_ssh" else short

    def transport(self) -> Literal["auto", "paramiko", "openssh"] | None:
        if (text := self.text((TRANSPORT,))) is None:
            return None
        if text not in _TRANSPORTS:
            self.refuse(TRANSPORT, f"must be auto, paramiko or openssh, not {text!r}")
        return cast("Literal['auto', 'paramiko', 'openssh']", text)

    def become(self) -> Become | None:
        if self.last(BECOME) is None or not self.flag("ansible_become"):
            return None
        method = (self.word(BECOME_METHOD) or "sudo").rsplit(".", 1)[-1]
        if method != "sudo":
            self.refuse(
                "ansible_become_method",
                f"is {method!r}; the audit becomes another user with sudo only: "
                "set it to sudo, or log in as a user who needs no become",
            )
        return Become("sudo", self.word(BECOME_USER) or "root", self.secret(BECOME_PASSWORD))

    def excluded(self) -> str | None:
        if (found := self.variables.get(EXCLUDE)) is None:
            return None
        reason = found.value
        word = str(reason).strip()
        if word.lower() in _FALSE:
            return None
        if not isinstance(reason, str) or not word or word.lower() in _TRUE:
            self.refuse(EXCLUDE, "must be the reason why the host is not audited, in words")
        return " ".join(word.split())

    def policy(self) -> dict[str, object]:
        changed: dict[str, object] = {}
        for name, variable in self.variables.items():
            if not name.startswith(OWN) or name in {EXCLUDE, NODE, TRANSPORT}:
                continue
            setting = name.removeprefix(OWN)
            if setting not in Policy.model_fields:
                place = f" ({variable.place})" if variable.place else ""
                unknown = unknown_name(setting, OWN, also=("exclude", "node", "transport"))
                raise InventoryError(f"host {self.name}: {unknown}{place}")
            changed[setting] = variable.value
        return changed


def _kind(value: object) -> str:
    return {bool: "a boolean", float: "a decimal number", list: "a list", dict: "a mapping"}.get(
        type(value), "something else"
    )


def _shown(value: object) -> str:
    """A short value of a variable that holds no secret."""
    return repr(value) if isinstance(value, str | int | float) else _kind(value)
