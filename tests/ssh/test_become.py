"""Becoming another user: sudo's answers, all of them, without the password going astray."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openssh import Person, Start, running, wait_until
from pydantic import SecretStr

from ipvs_audit.model.target import Become, Target
from ipvs_audit.transport import Connection, Output, TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWORD = "distinctive-become-password"

#: sudo as far as its command line goes: -n -S -p PROMPT -u USER -- COMMAND...
PARSE = r"""#!/bin/sh
ask=tty prompt=
while [ $# -gt 0 ]; do
  case $1 in
    -n) ask=never;; -S) ask=stdin;; -p) prompt=$2; shift;; -u) shift;; --) shift; break;;
  esac
  shift
done
prompt=$(printf %s "$prompt" | sed 's/%%/%/g')
"""
ASK = """
tries=0
while :; do
  [ $ask = stdin ] || { echo 'sudo: a password is required' >&2; exit 1; }
  printf %s "$prompt" >&2
  IFS= read -r given || { echo 'sudo: no password was provided' >&2; exit 1; }
  [ "$given" = distinctive-become-password ] && exec "$@"
  echo 'Sorry, try again.' >&2
  tries=$((tries+1))
  [ $tries -lt 3 ] || { echo 'sudo: 3 incorrect password attempts' >&2; exit 1; }
done
"""
FAKES = {
    "asks": PARSE + ASK,
    "allows": PARSE + 'exec "$@"',
    "lectures": PARSE + "echo 'We trust you have received the usual lecture.' >&2" + ASK,
    "requiretty": "#!/bin/sh\necho 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1",
    "stranger": "#!/bin/sh\necho 'audit is not in the sudoers file.' >&2; exit 1",
    "otp": PARSE + "printf 'One-time code: ' >&2; read x; exit 1",
    "slow": PARSE + "sleep 2\n" + ASK,
    "slow to let in": PARSE + 'sleep 2; exec "$@"',
    "stalls": PARSE + "exec sleep 1000",
    "unknown": "#!/bin/sh\necho 'sudo: unknown user ghost' >&2; exit 1",
}


BOTH = pytest.mark.parametrize("transport", ["paramiko", "openssh"], indirect=True)


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> Any:
    """Who speaks SSH; paramiko where a test does not say."""
    return getattr(request, "param", "paramiko")


@pytest.fixture
def fake(start: Start, tmp_path_factory: pytest.TempPathFactory, transport: Any) -> Any:
    """A connection to a host with a sudo of this kind."""
    opened = []

    def connect(kind: str, password: Any = None) -> Any:
        folder = tmp_path_factory.mktemp("bin")
        (folder / "sudo").write_text(FAKES[kind])
        (folder / "sudo").chmod(0o755)
        manager = start(path=f"{folder}:/usr/bin:/bin")
        server = manager.__enter__()
        secret = SecretStr(password) if password else None
        settings = replace(server.settings, transport=transport)
        connection = open_connection(server.target(become=Become(password=secret)), settings)
        opened.append((connection, manager))
        return connection

    yield connect
    for connection, manager in opened:
        connection.close()
        manager.__exit__(None, None, None)


def run(
    connection: Connection, script: bytes = b"echo hello; cat", timeout: float = 10.0
) -> Output:
    return connection.run_script(script, timeout=timeout, max_output=4_000_000)


def failure(connection: Connection, timeout: float = 10.0) -> TransportError:
    with pytest.raises(TransportError) as caught:
        run(connection, timeout=timeout)
    assert PASSWORD not in caught.value.message
    return caught.value


@BOTH
@pytest.mark.parametrize("kind", ["asks", "lectures"])
def test_password_is_given_when_sudo_asks(fake: Callable[..., Connection], kind: str) -> None:
    output = run(fake(kind, PASSWORD))
    assert output.stdout == b"hello\n"
    assert PASSWORD.encode() not in output.stderr


@pytest.mark.parametrize(("kind", "password"), [("slow", PASSWORD), ("slow to let in", None)])
def test_sudo_that_takes_its_time_is_waited_for(
    fake: Callable[..., Connection], kind: str, password: Any
) -> None:
    assert run(fake(kind, password)).stdout == b"hello\n"


@BOTH
@pytest.mark.parametrize(("password", "kind"), [(PASSWORD, "become"), (None, "timeout")])
def test_sudo_that_stalls_ends_in_time(
    fake: Callable[..., Connection], password: Any, kind: str
) -> None:
    assert failure(fake("stalls", password), timeout=1).kind == kind


@BOTH
def test_password_never_reaches_the_script_where_sudo_does_not_ask(
    fake: Callable[..., Connection],
) -> None:
    output = run(fake("allows", PASSWORD), b"cat; echo end; cat >&2")
    assert output.stdout == b"end\n"
    assert PASSWORD.encode() not in output.stdout + output.stderr


def test_sudo_without_password_runs_the_script(fake: Callable[..., Connection]) -> None:
    assert run(fake("allows")).stdout == b"hello\n"


@BOTH
def test_wrong_password_is_given_once_and_explained(fake: Callable[..., Connection]) -> None:
    error = failure(fake("asks", "wrong"))
    assert error.kind == "become"
    assert "rejected" in error.message


@BOTH
def test_sudo_that_wants_a_password_we_do_not_have(fake: Callable[..., Connection]) -> None:
    error = failure(fake("asks"))
    assert error.kind == "become"
    assert "ansible_become_password" in error.message
    assert "NOPASSWD" in error.message


@pytest.mark.parametrize(
    ("kind", "words"),
    [("requiretty", "requiretty"), ("stranger", "does not allow"), ("unknown", "no such user")],
)
@pytest.mark.parametrize("password", [None, PASSWORD])
def test_refusals_of_sudo_are_told_apart(
    fake: Callable[..., Connection], kind: str, words: str, password: Any
) -> None:
    error = failure(fake(kind, password))
    assert error.kind == "become"
    assert words in error.message


@BOTH
def test_prompt_that_is_not_ours_is_never_answered(fake: Callable[..., Connection]) -> None:
    error = failure(fake("otp", PASSWORD), timeout=1)
    assert error.kind == "become"
    assert "One-time code" in error.message


@pytest.mark.parametrize("method", ["su", "doas"])
@BOTH
def test_other_methods_than_sudo_are_refused_before_connecting(transport: Any, method: str) -> None:
    target = Target("web1", become=Become(method=method, password=SecretStr(PASSWORD)))
    with pytest.raises(TransportError, match="use sudo") as caught:
        open_connection(target, Settings(transport=transport))
    assert caught.value.kind == "configuration"
    assert PASSWORD not in caught.value.message


@BOTH
def test_sudo_at_a_path_of_its_own(start: Start, tmp_path: Path, transport: Any) -> None:
    place = tmp_path / "opt" / "sudo"
    place.parent.mkdir()
    place.write_text(FAKES["asks"])
    place.chmod(0o755)
    tmp_path.chmod(0o755)
    become = Become(password=SecretStr(PASSWORD), program=str(place))
    with start() as server:
        settings = replace(server.settings, transport=transport)
        connection = open_connection(server.target(become=become), settings)
        output = run(connection)
        connection.close()
    assert output.stdout == b"hello\n"


def test_host_without_sudo_is_explained(start: Start, tmp_path: Path) -> None:
    for name in ("sh", "cat", "env", "timeout"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    with start(path=f"{tmp_path}") as server:
        connection = open_connection(server.target(become=Become()), server.settings)
        error = failure(connection)
        connection.close()
    assert error.kind == "become"
    assert "sudo is not installed on the host" in error.message


@pytest.fixture
def enter(start: Start, person: Person, transport: Any) -> Any:
    """A connection as the person, who becomes root by the real sudo."""
    with start() as server:
        opened = []

        def connect(password: Any = None) -> Any:
            become = Become(password=password)
            settings = replace(server.settings, transport=transport)
            opened.append(open_connection(server.target(user=person.name, become=become), settings))
            return opened[-1]

        yield connect
        for connection in opened:
            connection.close()


@BOTH
def test_real_sudo_takes_the_password_and_then_the_script(
    enter: Callable[..., Connection], person: Person, sudoers: Callable[[str], None]
) -> None:
    sudoers("{name} ALL=(ALL) ALL")
    output = run(enter(person.password), b"id -un; cat")
    assert output.stdout == b"root\n"


def test_real_sudo_rejects_a_wrong_password(
    enter: Callable[..., Connection], sudoers: Callable[[str], None]
) -> None:
    sudoers("{name} ALL=(ALL) ALL")
    error = failure(enter(SecretStr(PASSWORD)))
    assert error.kind == "become"
    assert "rejected" in error.message


def test_real_sudo_with_nopasswd_ignores_the_password(
    enter: Callable[..., Connection], person: Person, sudoers: Callable[[str], None]
) -> None:
    sudoers("{name} ALL=(ALL) NOPASSWD: ALL")
    output = run(enter(person.password), b"id -un; cat")
    assert output.stdout == b"root\n"
    assert run(enter(), b"id -un").stdout == b"root\n"


def test_real_sudo_wants_a_password(
    enter: Callable[..., Connection], sudoers: Callable[[str], None]
) -> None:
    sudoers("{name} ALL=(ALL) ALL")
    assert "sudo requires a password" in failure(enter()).message


def test_real_sudo_with_requiretty(
    enter: Callable[..., Connection], sudoers: Callable[[str], None]
) -> None:
    sudoers("Defaults:{name} requiretty\n{name} ALL=(ALL) NOPASSWD: ALL")
    assert "requiretty" in failure(enter()).message


def test_real_sudo_allows_another_command_only(
    enter: Callable[..., Connection], sudoers: Callable[[str], None], person: Person
) -> None:
    sudoers("{name} ALL=(ALL) NOPASSWD: /bin/true")
    error = failure(enter(person.password))
    assert error.kind == "become", error.message


@BOTH
def test_real_sudo_leaves_nothing_behind_at_the_deadline(
    enter: Callable[..., Connection], sudoers: Callable[[str], None]
) -> None:
    sudoers("{name} ALL=(ALL) NOPASSWD: ALL")
    mark = f"sleep 4000.{os.getpid()}"
    with pytest.raises(TransportError) as caught:
        run(enter(), mark.encode(), timeout=1)
    assert caught.value.kind == "timeout"
    assert wait_until(lambda: not running(mark), 8)


@BOTH
def test_secrets_are_on_no_command_line(
    enter: Callable[..., Connection], person: Person, sudoers: Callable[[str], None]
) -> None:
    sudoers("{name} ALL=(ALL) ALL")
    connection = enter(person.password)
    output = run(connection, b"ps -eo args; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'")
    assert re.search(rb"sudo -S -p", output.stdout)
    assert person.password.get_secret_value().encode() not in output.stdout


def documented_sudoers() -> str:
    """The lines of docs/least-privilege.md, for the account of the test."""
    text = (Path(__file__).parents[2] / "docs" / "least-privilege.md").read_text()
    block = text[text.index("    # /etc/sudoers.d/ipvs-audit") :].partition("\n\n")[0]
    return "\n".join(line.strip() for line in block.splitlines()).replace("ipvs-audit", "{name}")


def test_real_sudo_with_the_documented_rules_runs_the_probe(
    enter: Callable[..., Connection], sudoers: Callable[[str], None]
) -> None:
    sudoers(documented_sudoers())
    assert run(enter(), b"id -un").stdout == b"root\n"
