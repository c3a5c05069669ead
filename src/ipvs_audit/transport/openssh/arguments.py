"""How OpenSSH's client is started: what is forced on it, then what the inventory says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from glob import escape
from pathlib import Path
from stat import S_IWGRP, S_IWOTH
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.model.computed_once import computed_once
from ipvs_audit.transport import TransportError, safe_names
from ipvs_audit.transport.ssh import destination, ssh_args
from ipvs_audit.transport.ssh.local_user import expand_home
from ipvs_audit.transport.ssh.ssh_config import SYSTEM_FILE, USER_FILE

if TYPE_CHECKING:
    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.openssh.workspace import Workspace
    from ipvs_audit.transport.settings import Settings

#: Hold for the host and for every jump host on the way: no prompt, no agent or display for the
#: host, no command of the user's own, no key that known_hosts does not hold.
_EVERYWHERE = (
    ("ForwardAgent", "no"),
    ("ForwardX11", "no"),
    ("ForwardX11Trusted", "no"),
    ("NoHostAuthenticationForLocalhost", "no"),
    ("PermitLocalCommand", "no"),
    ("UpdateHostKeys", "no"),
)
#: For the host alone. The log is read by :mod:`client_log`; on a jump host it would be noise.
_FOR_THE_HOST = (
    ("ClearAllForwardings", "yes"),
    ("ControlPersist", "no"),
    ("FingerprintHash", "sha256"),
    ("LogLevel", "DEBUG1"),
    ("NumberOfPasswordPrompts", "1"),
    ("Tunnel", "no"),
    ("VisualHostKey", "no"),
)
_FOR_JUMP_HOSTS = (("BatchMode", "yes"), ("ControlMaster", "no"), ("LogLevel", "INFO"))
#: From OpenSSH 8.7 on; before, it is no setting.
_FORK = ("ForkAfterAuthentication", "no")
_FORK_SINCE = (8, 7)
#: From OpenSSH 8.5 on. LogVerbose would change the lines that are read.
_KNOWN_HOSTS_COMMAND = ("KnownHostsCommand", "none")
_LOG_VERBOSE = ("LogVerbose", "none")
_BOTH_SINCE = (8, 5)

_UNFIT = frozenset('"\\$')
_RELATIVE_INCLUDE = re.compile(r"(?im)^[ \t]*include[ \t=]+(?:.*[ \t])?\"?[^/\s\"~=]")

#: Options of ssh(1) that change how a host is reached, with an argument and without.
_KEPT_WITH_ARGUMENT = frozenset("BIJPbcilmop")
_KEPT = frozenset("46Ckax")
#: What would change nothing for a script, or what an audit must not do: forwarding, going into the
#: background, a terminal, another control socket.
_DROPPED_WITH_ARGUMENT = frozenset("DELOQRSWew")
_DROPPED = frozenset("AGKMNTVXYfgnqstvy")


@dataclass(frozen=True, slots=True)
class Given:
    """The inventory's ``ansible_ssh_common_args``: options to pass on, and the file of ``-F``."""

    options: tuple[str, ...] = ()
    config_file: str | None = None


def parse(arguments: str) -> Given:
    """Take ssh's own command line apart.

    >>> parse("-A -J bastion -o 'User audit' -vp2222 -F ~/x").options
    ('-J', 'bastion', '-o', 'User audit', '-p', '2222')

    Raises:
        TransportError: an option is not known, or has no argument.
    """
    options: list[str] = []
    config_file: str | None = None
    taken = {*_KEPT_WITH_ARGUMENT, *_DROPPED_WITH_ARGUMENT, "F"}
    for letter, argument in ssh_args.options(
        arguments, flags=_KEPT | _DROPPED, with_argument=taken, bad=_bad
    ):
        if letter == "F":
            config_file = argument
        elif letter in _KEPT:
            options.append(f"-{letter}")
        elif letter in _KEPT_WITH_ARGUMENT:
            options += [f"-{letter}", argument]
    return Given(tuple(options), config_file)


def _bad(what: str, why: str) -> TransportError:
    return TransportError("configuration", f"ansible_ssh_common_args: {what} {why}; see ssh(1)")


def command_line(
    target: Target, settings: Settings, there: Workspace, *, log: str, control: str
) -> list[str]:
    """The client's arguments. No secret is among them.

    The first value of a setting wins, so what is forced stands before the inventory's. Jump hosts
    are reached by clients of their own, which are given the same file with ``-F``.

    Args:
        target: the host.
        settings: how to connect.
        there: where the file is put.
        log: the file that the client writes its log to.
        control: the control socket that it makes.

    Raises:
        TransportError: there is no client, or a name or argument cannot be used.
    """
    first, given = parse(target.first_ssh_args), parse(target.ssh_args)
    address = target.address or target.name
    named = destination.parse(target.name, address)
    safe_names.refuse_host_name(target.name, "host name", named.host)
    for user in (named.user, target.user):
        safe_names.refuse_user_name(target.name, user or "")
    forced = [*_EVERYWHERE, *_FOR_THE_HOST, *_host_keys(settings)]
    forced += [("BatchMode", "no" if target.password else "yes")]
    forced += [_FORK] if version() >= _FORK_SINCE else []
    forced += [_LOG_VERBOSE] if version() >= _BOTH_SINCE else []
    options = [
        *(
            "-F",
            str(there.file_with(_config_file(settings, given.config_file or first.config_file))),
        ),
        *("-E", log, "-N", "-T", "-M", "-S", control),
        *(f"-o{keyword}={value}" for keyword, value in forced),
        *first.options,
        *(("-p", str(target.port)) if target.port is not None else ()),
        *(("-l", target.user) if target.user else ()),
        *(("-i", destination.key_file(target.key_file)) if target.key_file else ()),
        *given.options,
        "--",
        address,
    ]
    if settings.host_key_policy == "accept-new":
        _refuse_what_keeps_no_keys(target.name, settings, options)
    return [program(), *options]


def _refuse_what_keeps_no_keys(name: str, settings: Settings, options: list[str]) -> None:
    """Refuse to accept new keys where they are not saved: any server would be accepted each time.

    Raises:
        TransportError: the first file is /dev/null, or there is none.
    """
    first = str(settings.known_hosts[0]) if settings.known_hosts else ""
    if not first:
        told = subprocess.run(
            [program(), "-G", *options],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=settings.limits.connect,
        )
        found = re.search(r"^userknownhostsfile (\S+)", told.stdout, re.MULTILINE)
        if told.returncode != 0 or found is None:
            return  # connecting fails, too, and tells why
        first = found[1]
    path = expand_home(first)
    if first == "none" or (path.exists() and not path.is_file()):
        raise TransportError(
            "host-key",
            f"{name}: name a file with --known-hosts FILE: UserKnownHostsFile={first} keeps no"
            " keys, so it would accept any server",
        )


def _host_keys(settings: Settings) -> list[tuple[str, str]]:
    """What decides on host keys; where ``--known-hosts`` names files, they alone do."""
    policy = "accept-new" if settings.host_key_policy == "accept-new" else "yes"
    found = [("StrictHostKeyChecking", policy)]
    if settings.known_hosts:
        found += [
            ("UserKnownHostsFile", " ".join(_quoted(path) for path in settings.known_hosts)),
            ("GlobalKnownHostsFile", "/dev/null"),
            ("VerifyHostKeyDNS", "no"),
        ]
        if version() >= _BOTH_SINCE:
            found.append(_KNOWN_HOSTS_COMMAND)
    return found


def _config_file(settings: Settings, named: str | None) -> str:
    """What every client on the way reads: what is forced, then the user's own files."""
    if named is not None:
        files = [] if named == "none" else [Path(named).expanduser()]
        if files and not files[0].is_file():
            raise TransportError("configuration", f"-F {files[0]}: there is no such file")
    elif settings.ssh_config is not None:
        files = [settings.ssh_config]
    else:
        files = [expand_home(USER_FILE), SYSTEM_FILE]
    forced = [*_EVERYWHERE, *_FOR_JUMP_HOSTS, *_host_keys(settings)]
    lines = [f"{keyword} {value}" for keyword, value in forced]
    own = files not in ([expand_home(USER_FILE), SYSTEM_FILE], [])
    lines += [
        _text(path) if own and _is_others(path) else _include(path.absolute())
        for path in files
        if path.is_file()  # /dev/null is none
    ]
    return "\n".join([*lines, ""])


def _is_others(path: Path) -> bool:
    """Whether another user may write to a file: ``ssh -F`` takes it, an Include does not."""
    found = path.stat()
    return found.st_uid not in {0, os.getuid()} or bool(found.st_mode & (S_IWGRP | S_IWOTH))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def _include(path: Path) -> str:
    """The line that includes a file.

    Raises:
        TransportError: the client would read others in place of what is meant.
    """
    if "%" in str(path):  # a token or not, depending on the version
        raise TransportError("configuration", f"use a path of ssh_config without %: {path}")
    # Where it is not read as the system's own file, a relative path is taken for the user's.
    if path == SYSTEM_FILE and _RELATIVE_INCLUDE.search(_text(path)):
        raise TransportError(
            "configuration",
            f"give the Include in {path} an absolute path, or use --transport paramiko:"
            " OpenSSH's client would look for it in ~/.ssh",
        )
    return f"Include {_quoted(Path(escape(str(path))))}"


def _quoted(path: Path) -> str:
    """A path as ssh_config takes it; ``%`` begins a token there."""
    text = str(path)
    if not text.isprintable() or not _UNFIT.isdisjoint(text):
        raise TransportError(
            "configuration", f"use a path without quotes, backslashes and dollars: {text!a}"
        )
    return f'"{text.replace("%", "%%")}"'


@cache
def program() -> str:
    """The client.

    Raises:
        TransportError: there is none.
    """
    found = shutil.which("ssh")
    if found is None:
        raise TransportError(
            "configuration",
            "install OpenSSH's client (ssh), or use --transport paramiko: there is no ssh in PATH",
        )
    return found


@computed_once()
def version() -> tuple[int, int]:
    """The client's version; 0.0 where it does not say."""
    try:
        told = subprocess.run(
            [program(), "-V"],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=limits.CONNECT_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    found = re.search(rb"OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)", told.stderr)
    return (int(found[1]), int(found[2])) if found else (0, 0)
