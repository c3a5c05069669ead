"""From the variables of one host to its Target. Pure: knows nothing of Ansible or files.

>>> from ipvs_audit.inventory.variable import Variable
>>> target_of("web1", ("web",), {"ansible_port": Variable("2222"), "ansible_user": Variable("ops")})
Target(name='web1', groups=('web',), connection='smart', ..., port=2222, user='ops', ...)
"""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, NoReturn, cast

from pydantic import SecretStr

from ipvs_audit.inventory import become
from ipvs_audit.inventory.connection_variables import NAMES, ConnectionPlugin, plugin_of
from ipvs_audit.inventory.errors import HostError, InventoryError
from ipvs_audit.inventory.settings import PREFIX
from ipvs_audit.model.policy import Policy, unknown_name
from ipvs_audit.model.target import Become, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.inventory.variable import Variable

OWN = "ipvs_audit_"
EXCLUDE = OWN + "exclude"
NODE = OWN + "node"
TRANSPORT = OWN + "transport"

#: Where Ansible knows several names for one thing, the last one that is set wins.
CONNECTION = (PREFIX + "transport", "ansible_connection")

SUPPORTED = NAMES.union(CONNECTION, become.NAMES)

#: Variables that change how Ansible reaches a host, and that this suite does not follow.
IGNORED = frozenset(
    {
        "ansible_become_flags",
        "ansible_host_key_checking",
        "ansible_paramiko_host_key_checking",
        "ansible_private_key",
        "ansible_private_key_passphrase",
        "ansible_ssh_host_key_checking",
        "ansible_ssh_pkcs11_provider",
        "ansible_ssh_private_key",
        "ansible_ssh_private_key_passphrase",
        "ansible_su",
        "ansible_sudo",
        "ansible_sudo_chdir",
        "ansible_sudo_flags",
    }
)
#: Variables of Ansible's own that differ from supported ones by a letter or two.
_OTHERS = frozenset({"ansible_lxc_host", "ansible_su_pass", "ansible_su_user"})

_TRANSPORTS = {"auto", "paramiko", "openssh"}
_TRUE = {"true", "t", "yes", "y", "on", "1", "1.0"}
_FALSE = {"false", "f", "no", "n", "off", "0", "0.0"}
_VARIABLES = frozenset(name for name in SUPPORTED if not name.startswith(PREFIX))
_NEAR = 0.9
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f]")
_MAX_PORT = 65535
#: Arguments of kubectl, oc and docker that an audit does not take over.
_UNSAFE_ARGS = frozenset({"--token", "--password", "--insecure-skip-tls-verify"})
_UNSAFE_WHY = "shows a secret to other users or trusts any server: name a kubeconfig instead"


def concerns_us(name: str) -> bool:
    """Whether a variable can change a Target."""
    return name in SUPPORTED or name.startswith(OWN)


@cache
def meant(name: str) -> str | None:
    """The connection variable that a name looks like a misspelling of.

    >>> meant("ansible_prot"), meant("ansible_hostname"), meant("ansible_host")
    ('ansible_port', None, None)
    """
    if not name.startswith("ans") or name in SUPPORTED | IGNORED | _OTHERS:
        return None
    near = difflib.get_close_matches(name, sorted(_VARIABLES), n=1, cutoff=_NEAR)
    return near[0] if near else None


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
        HostError: naming the host, the variable and the place, never a secret.
        InventoryError: for a variable of the audit that does not exist.
    """
    host = _Host(name, variables)
    connection = host.word(CONNECTION) or "smart"
    plugin = plugin_of(connection)
    if plugin is None:  # the transport knows what it supports, and says so
        return Target(
            name, groups, connection, excluded=excluded(name, variables), policy=host.policy()
        )
    host.refuse_unfollowed(plugin)
    return Target(
        name=name,
        groups=groups,
        connection=plugin.backend,
        transport=host.transport(),
        address=host.address(plugin),
        port=host.port(plugin.port),
        user=host.word(plugin.user),
        password=host.secret(plugin.password),
        key_file=host.text(plugin.key_file),
        first_ssh_args=host.text(plugin.first_ssh_args) or "",
        ssh_args=host.ssh_args(plugin),
        program_args=host.program_args(plugin),
        become=host.become(),
        node=NODE in variables and host.flag(NODE),
        excluded=excluded(name, variables),
        policy=host.policy(),
    )


def excluded(name: str, variables: Mapping[str, Variable]) -> str | None:
    """Why a host is not audited; None where it is.

    Raises:
        HostError: the variable gives no reason.
    """
    return _Host(name, variables).excluded()


@dataclass(frozen=True, slots=True)
class _Host:
    name: str
    variables: Mapping[str, Variable]

    def refuse(self, variable: str, why: str) -> NoReturn:
        place = self.variables[variable].place
        said = f"host {self.name}: {variable.removeprefix(PREFIX)} {why}"
        raise HostError(said + (f" ({place})" if place else ""))

    def last(self, names: tuple[str, ...]) -> tuple[str, object] | None:
        """The name that wins and its value; None where that is empty text, or none is set."""
        if self.variables.keys().isdisjoint(names):  # nearly always, on a big fleet
            return None
        for name in reversed(names):
            found = self.variables.get(name)
            if found is not None and found.value is not None:
                return None if found.value == "" else (name, found.value)
        return None

    def text(self, names: tuple[str, ...]) -> str | None:
        """Text; a number, which INI makes of digits, is text too."""
        if (found := self.last(names)) is None:
            return None
        name, value = found
        if isinstance(value, bool) or not isinstance(value, str | int):
            way_out = "" if isinstance(value, list | dict) else ": put it in quotes"
            self.refuse(name, f"must be text, not {_kind(value)}{way_out}")
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

    def address(self, plugin: ConnectionPlugin) -> str:
        address = self.word(plugin.address) or self.name
        if not fit(address):
            raise HostError(
                f"host {self.name!r}: its name cannot be used as an address: set ansible_host"
            )
        if plugin.remote:  # of LXD, whose instances have no dot in their names
            return f"{self.word(plugin.remote) or 'local'}:{address.split('.', 1)[0]}"
        return address

    def ssh_args(self, plugin: ConnectionPlugin) -> str:
        args = [text for names in plugin.ssh_args if (text := self.text(names))]
        if command := self.text(plugin.proxy_command):
            args.append(f"-o {shlex.quote(f'ProxyCommand={command}')}")
        return " ".join(args)

    def program_args(self, plugin: ConnectionPlugin) -> tuple[str, ...]:
        """What the program that makes the connection is given before its subcommand."""
        args = [
            f"{option}={value}"
            for option, names in plugin.options.items()
            if (value := self.text(names))
        ]
        if (found := self.last(plugin.extra_args)) is not None:
            try:
                more = shlex.split(self.text(plugin.extra_args) or "")
            except ValueError:
                self.refuse(found[0], "has a quotation mark that is not closed")
            for word in more:
                if word.split("=", 1)[0] in _UNSAFE_ARGS:
                    self.refuse(found[0], f"holds {word.split('=', 1)[0]}, which {_UNSAFE_WHY}")
            args += more
        return tuple(args)

    def refuse_unfollowed(self, plugin: ConnectionPlugin) -> None:
        """Refuse what would make Ansible reach another machine than this suite would.

        Raises:
            HostError: names the variable and the way out.
        """
        if plugin.unsupported:
            self.refuse((self.last(CONNECTION) or CONNECTION)[0], plugin.unsupported)
        for name in self.variables:
            if name in plugin.refused and self.last((name,)) is not None:
                self.refuse(name, f"is not followed: {plugin.refused[name]}")
        if (found := self.last(plugin.verify)) is not None and not self.flag(found[0]):
            self.refuse(
                found[0], "is false; an audit verifies whom it asks: name the CA in a kubeconfig"
            )
        program = self.last(plugin.program)
        if program is not None and str(program[1]).rsplit("/", 1)[-1] != plugin.own_program:
            self.refuse(
                program[0],
                f"names another program than {plugin.own_program}, which may lead elsewhere: "
                "remove it",
            )

    def secret(self, names: tuple[str, ...]) -> SecretStr | None:
        text = self.text(names)
        return None if text is None else SecretStr(text)

    def port(self, names: tuple[str, ...]) -> int | None:
        if (found := self.last(names)) is None:
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

    def transport(self) -> Literal["auto", "paramiko", "openssh"] | None:
        if (text := self.text((TRANSPORT,))) is None:
            return None
        if text not in _TRANSPORTS:
            self.refuse(TRANSPORT, f"must be auto, paramiko or openssh, not {text!r}")
        return cast("Literal['auto', 'paramiko', 'openssh']", text)

    def become(self) -> Become | None:
        if (found := self.last(become.BECOME)) is None or not self.flag(found[0]):
            return None
        if (method := self.last(become.METHOD)) and str(method[1]) not in become.METHODS:
            self.refuse(
                method[0],
                f"is {_shown(method[1])}; the audit becomes another user with sudo only: "
                "set it to sudo, or log in as a user who needs no become",
            )
        if (flags := self.text(become.FLAGS)) and (option := become.other_identity(flags)):
            self.refuse(
                (self.last(become.FLAGS) or become.FLAGS)[0],
                f"holds {option!r}, which the audit does not give to sudo: remove it, or log in as"
                " a user who needs no become",
            )
        return Become(
            user=self.word(become.USER) or "root",
            password=self.secret(become.PASSWORD),
            program=self._sudo(),
        )

    def _sudo(self) -> str:
        program = self.text(become.PROGRAM) or "sudo"
        if not become.is_sudo(program):
            self.refuse(
                (self.last(become.PROGRAM) or become.PROGRAM)[0],
                f"is {program!r}; the audit becomes another user with sudo only: name sudo or the"
                " path of it, or log in as a user who needs no become",
            )
        return program

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
