"""Starts a script on a host: the command to run, the input to send, the output to expect.

It does no input or output itself, so that SSH, a local process and a test share it. Around the
script stand three safeguards:

- A start mark goes to both streams before the script runs. What a login shell or a forced
  command printed before it is noise; without it nothing was run, and the noise tells why.
- The script ends in an end mark. One that was cut on its way is not run at all.
- sudo's password goes out only when sudo asks with our own prompt, and the script only after the
  start mark, so the script can never read the password as its input.
"""

from __future__ import annotations

import math
import secrets
import shlex
from typing import TYPE_CHECKING, Literal

from ipvs_audit.model import limits
from ipvs_audit.transport import Output, TransportError
from ipvs_audit.transport.message_text import output_note
from ipvs_audit.transport.start_failure import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import SecretStr

    from ipvs_audit.model.target import Become

#: How the host's ``timeout`` takes its arguments: GNU and busybox from 1.34; busybox from 1.30;
#: older busybox; and no ``timeout`` at all.
TimeoutStyle = Literal["kill", "plain", "old", "none"]
TIMEOUT_STYLES: tuple[TimeoutStyle, ...] = ("kill", "plain", "old", "none")

_TRUNCATED = 97
#: The exit status where process 1 is the container's own, so that entering it leads nowhere.
_NO_NODE = 96
_REFUSE_OWN = f"[ ! /proc/1/ns/mnt -ef /proc/self/ns/mnt ] || exit {_NO_NODE};"
#: Its network, process and mount namespaces, and those that they need; the shell is the node's.
_ENTER_NODE = "nsenter -t 1 -m -u -i -n -p -- "


class TimeoutStyleError(Exception):
    """The host's ``timeout`` does not take these arguments; the script was not started."""


class TimeoutStyles:
    """Finds by trying how a host's ``timeout`` takes its arguments, once for a connection."""

    def __init__(self, styles: Sequence[TimeoutStyle] = TIMEOUT_STYLES) -> None:
        self._left = list(styles)

    def attempt(self, run: Callable[[TimeoutStyle], Output]) -> Output:
        """Run a script in the first style that the host knows.

        Raises:
            TransportError: see :meth:`ScriptProtocol.output`.
        """
        while True:
            try:
                return run(self._left[0])
            except TimeoutStyleError:
                self._left.pop(0)


def _timeout_prefix(timeout_style: TimeoutStyle, seconds: float) -> str:
    limit = math.ceil(seconds) + 1
    return {
        "kill": f"timeout -k 3 {limit} ",
        "plain": f"timeout {limit} ",
        "old": f"timeout -t {limit} ",
        "none": "",
    }[timeout_style]


class ScriptProtocol:
    """One run of one script.

    With ``node`` it runs in the namespaces of process 1, from a container that shares the processes
    of the machine: on the machine itself.

    With ``inline`` the script is an argument of ``sh`` and there is no input, for transports that
    have none; there is no password then either.

    Feed it what arrives, send what :meth:`take_input` gives, and ask for the :meth:`output` when
    the other side is done.

    Attributes:
        command: what to start on the host; any Bourne or C shell, or fish, can read it.
        input_over: no more input will follow what :meth:`take_input` has given.
        started: the script has begun to run.
    """

    def __init__(
        self,
        script: bytes,
        *,
        where: str,
        seconds: float,
        max_output: int,
        become: Become | None = None,
        timeout_style: TimeoutStyle = "none",
        inline: bool = False,
        node: bool = False,
        secrets_to_hide: tuple[SecretStr | None, ...] = (),
    ) -> None:
        self._where = where
        self._max_output = max_output
        self._become = become
        self._node = node
        self._timeout_style = timeout_style
        self._token = secrets.token_hex(12)
        self._mark = f"ipvs-audit-start-{self._token}".encode()
        self._prompt = f"ipvs-audit-{self._token}%:"
        self._script = script + f"\n#{self._token}".encode()
        self._password = become.password if become else None
        self._secrets = (*secrets_to_hide, self._password)
        self._asked = False
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._stderr_marked = False
        self._outbox = bytearray()
        self._noise = 0
        self.started = False
        self.input_over = inline
        self.command = self._build_command(seconds, script if inline else None)
        if self._password is None and not inline:
            self._send_script()

    def _build_command(self, seconds: float, inline: bytes | None) -> str:
        # Neither mark nor prompt stands in the command as it is printed, so that a shell or sudo
        # that repeats the command in a message is not taken for them.
        mark = f"%s%s ipvs-audit- start-{self._token}"
        shell = f"printf {mark};printf {mark}>&2;"
        if inline is None:
            shell += (
                f's=$(cat);case $s in *"#{self._token}") eval "$s";; *) exit {_TRUNCATED};; esac'
            )
        else:
            shell += "\n" + inline.decode("utf-8", "surrogateescape")
        run = f"{_timeout_prefix(self._timeout_style, seconds)}sh -c {shlex.quote(shell)}"
        first = ""
        if self._node:
            first, run = _REFUSE_OWN, f"{_ENTER_NODE}{run}"
        if self._become is None:
            return f"{first}exec {run}"
        ask = "-n" if self._password is None else f"-S -p ipvs-audit-{self._token}%%:"
        sudo, user = shlex.quote(self._become.program), shlex.quote(self._become.user)
        return f"{first}exec env LC_ALL=C {sudo} {ask} -u {user} -- {run}"

    def _send_script(self) -> None:
        self._outbox += self._script
        self.input_over = True

    def take_input(self) -> bytes:
        """What to send now; empty where there is nothing new."""
        data = bytes(self._outbox)
        self._outbox.clear()
        return data

    def feed_stdout(self, data: bytes) -> None:
        """Take what came on standard output.

        Raises:
            TransportError: it was more than the cap.
        """
        self._stdout += data
        if not self.started:
            at = self._stdout.find(self._mark)
            if at >= 0:
                del self._stdout[: at + len(self._mark)]
                self.started = True
                if self._password is not None:
                    self._send_script()
            elif len(self._stdout) > limits.LOGIN_NOISE:
                surplus = len(self._stdout) - len(self._mark) - limits.LOGIN_NOISE // 2
                del self._stdout[:surplus]
                self._noise += surplus
        if self._noise + len(self._stdout) > self._max_output:
            raise TransportError(
                "too-much-output",
                f"{self._where}: more than {self._max_output} bytes of output; "
                "the probe never prints that much: check what the host runs in its place",
            )

    def feed_stderr(self, data: bytes) -> None:
        """Take what came on standard error; beyond the cap it is dropped.

        Raises:
            TransportError: sudo rejected the password.
        """
        self._stderr += data
        if not self._stderr_marked:
            at = self._stderr.find(self._mark)
            if at >= 0:
                del self._stderr[: at + len(self._mark)]
                self._stderr_marked = True
            elif not self.started:
                self._answer_prompt()
        del self._stderr[limits.SCRIPT_ERRORS :]

    def _answer_prompt(self) -> None:
        prompt = self._prompt.encode()
        at = self._stderr.find(prompt)
        if at < 0 or self._password is None or self._become is None:
            return
        del self._stderr[at : at + len(prompt)]
        if self._asked:
            raise TransportError(
                "become",
                f"{self._where}: sudo rejected the become password for {self._become.user}; "
                "check ansible_become_password",
            )
        self._asked = True
        self._outbox += self._password.get_secret_value().encode() + b"\n"

    def timed_out(self, seconds: float) -> TransportError:
        """What to say where the time was up before the other side was done."""
        if not self.started and self._password is not None and not self._asked:
            return TransportError(
                "become",
                f"{self._where}: sudo did not run or prompt for a password within "
                f"{seconds:.0f} s{self._quote(self._stderr)}; prompts of PAM modules "
                "(such as one-time passwords) cannot be answered",
            )
        return TransportError(
            "timeout",
            f"{self._where}: connected, but the script "
            f"did not {'finish' if self.started else 'start'} within {seconds:.0f} s; "
            "raise --deadline, or find what hangs on the host",
        )

    def cut_off(self) -> TransportError:
        """What to say where the connection ended before the other side was done."""
        what = f"after {len(self._stdout)} bytes" if self.started else "before the script ran"
        return TransportError(
            "protocol", f"{self._where}: the host closed the connection {what}", retry="once"
        )

    def output(self, status: int | None) -> Output:
        """What the script left behind.

        Args:
            status: exit status, None where the host did not tell.

        Raises:
            TransportError: the script was never run, or not to its end.
            TimeoutStyleError: ask again with the next of :data:`TIMEOUT_STYLES`.
        """
        if not self.started:
            if self._timeout_was_refused(status):
                raise TimeoutStyleError
            if self._node and (status == _NO_NODE or b"nsenter" in self._stderr):
                raise self._no_node(status)
            raise explain(
                where=self._where,
                status=status,
                stdout=bytes(self._stdout),
                stderr=bytes(self._stderr),
                become=self._become,
                secrets=self._secrets,
            )
        if status == _TRUNCATED and not self._stdout:
            raise TransportError(
                "protocol",
                f"{self._where}: the script arrived incomplete and was not run",
                retry="once",
            )
        return Output(status, bytes(self._stdout), bytes(self._stderr))

    def _no_node(self, status: int | None) -> TransportError:
        if status == _NO_NODE:
            way_out = "set hostPID: true in its pod, or remove ipvs_audit_node"
            why = "process 1 is the container's own"
        else:
            way_out = "run a privileged container that has nsenter, with hostPID: true"
            why = "the node could not be entered"
        return TransportError(
            "configuration", f"{self._where}: {way_out}: {why}{self._quote(self._stderr)}"
        )

    def _timeout_was_refused(self, status: int | None) -> bool:
        if self._timeout_style == "none" or status in (0, None):
            return False
        text = self._stderr.decode("utf-8", "replace").lower()
        return "timeout" in text and any(
            word in text
            for word in ("not found", "no such file", "usage", "option", "can't execute", "unknown")
        )

    def _quote(self, data: bytearray) -> str:
        return output_note(bytes(data), self._secrets)
