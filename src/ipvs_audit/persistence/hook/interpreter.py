"""Follows a hook's command: is ip_vs loaded, which value has the key, which exit status."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.programs import run_program
from ipvs_audit.persistence.hook.redirections import opened, writes_key_blindly
from ipvs_audit.persistence.hook.state import Command, State, bounded
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.module_parameters import configured
from ipvs_audit.persistence.shell import parser
from ipvs_audit.persistence.shell.variables import assigned_first
from ipvs_audit.persistence.shell.words import InvalidShellError, UnsupportedShellError
from ipvs_audit.snapshot.sysctl_key import is_glob

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.modprobe_config import Directive

_CUT = "[cut]"  # where the probe cut a long line
#: Shells that are known to run nothing of a line that they cannot read; seen of both.
_STRICT_SHELLS = ("dash", "bash")


@lru_cache(maxsize=4096)
def run_shell(
    config: HostConfig, command: Command, state: State, shell: str | None = None
) -> tuple[State, ...]:
    """The states that a hook's command may end in: one, where nothing depends on the unknown.

    Args:
        config: the host.
        command: what runs.
        state: before it.
        shell: which shell reads it; None for the host's ``/bin/sh``.
    """
    options = " ".join(each.text for each in configured(config))
    text = command.text.replace("$CMDLINE_OPTS", options)
    read_by = config.programs.shell if shell is None else shell
    cannot = f"{command.where} runs a command that this audit cannot read"
    if text.endswith(_CUT):
        return (state.never_certain(f"{cannot}: it is longer than the probe brings"),)
    try:
        variables = assigned_first(text)
        if command.module:
            variables["MODPROBE_MODULE"] = command.module
        body = parser.parse(text, variables, read_by)
    except InvalidShellError as invalid:
        if read_by not in _STRICT_SHELLS or "\n" in text:
            return (state.never_certain(f"{cannot}: {invalid}"),)
        return (state.lacking(f"{read_by} runs nothing of it, for {invalid}"),)
    except UnsupportedShellError as unsupported:
        return (state.never_certain(f"{cannot}: {unsupported}"),)
    if read_by != config.programs.shell:
        known = read_by if read_by in ("dash", "bash") else ""
        config = replace(config, programs=replace(config.programs, shell=known))
    runner = _Runner(config, command)
    ends = runner.sequence(body, (state,), guarded=False)
    return tuple({replace(end, ended=False): None for end in ends})


def run_hook(config: HostConfig, hook: Directive, state: State) -> tuple[State, ...]:
    """The states that the command of an ``install`` or ``remove`` line may end in."""
    module = "" if is_glob(hook.module) else hook.module
    module = MODULE if hook.concerns(MODULE) else module
    return run_shell(config, Command(hook.rest, hook.where, module=module), state)


@dataclass(frozen=True, slots=True)
class _Runner:
    """Runs a parsed command; ``guarded`` is where ``set -e`` does not count."""

    config: HostConfig
    command: Command

    def sequence(
        self, body: parser.Sequence, states: tuple[State, ...], *, guarded: bool
    ) -> tuple[State, ...]:
        for item in body.items:
            if item.background:
                states = tuple(end for state in states for end in self._background(item, state))
            else:
                states = self._and_or(item, states, guarded=guarded)
            states = self._bounded(states)
        return states

    def _background(self, item: parser.AndOr, state: State) -> tuple[State, ...]:
        """A command that runs beside those that follow; its own redirections fail unnoticed."""
        if state.ended:
            return (state,)
        for end in self._and_or(replace(item, background=False), (state,), guarded=True):
            same = (end.loaded, end.value, end.written) == (
                state.loaded,
                state.value,
                state.written,
            )
            if (
                not same
                or _loads(item)
                or end.doubt != state.doubt
                or end.steps != state.steps
                or end.fault
            ):
                why = f"{self.command.where} runs a command in the background"
                return (replace(state.never_certain(why), status=0, fault=end.fault),)
        return (replace(state, status=0),)

    def _and_or(
        self, item: parser.AndOr, states: tuple[State, ...], *, guarded: bool
    ) -> tuple[State, ...]:
        last = not item.rest
        states = self._pipeline(item.first, states, guarded=guarded or not last)
        for place, (operator, pipeline) in enumerate(item.rest, 1):
            last = place == len(item.rest)
            on_success = operator == "&&"
            ends = (
                end
                for state in states
                for end in (
                    (state,)
                    if state.ended or (state.status == 0) != on_success
                    else self._pipeline(pipeline, (state,), guarded=guarded or not last)
                )
            )
            states = self._bounded(tuple(ends))
        return states

    def _pipeline(
        self, pipeline: parser.Pipeline, states: tuple[State, ...], *, guarded: bool
    ) -> tuple[State, ...]:
        found = tuple(replace(state, stdout=None) for state in states if not state.ended)
        ended = tuple(state for state in states if state.ended)
        guarded = guarded or pipeline.negated
        if len(pipeline.commands) > 1:
            found = tuple(end for state in found for end in self._piped(pipeline, state))
        else:
            found = tuple(
                end
                for state in found
                for end in self._command(pipeline.commands[0], state, guarded=guarded)
            )
        if pipeline.negated:
            found = tuple(
                state if state.ended else replace(state, status=int(state.status == 0))
                for state in found
            )
        elif not guarded:
            found = tuple(end for state in found for end in _errexit(pipeline.commands[-1], state))
        return self._bounded((*ended, *found))

    def _piped(self, pipeline: parser.Pipeline, before: State) -> tuple[State, ...]:
        """Commands of a pipe run at the same time, each in a subshell."""
        states: tuple[State, ...] = (before,)
        acting = 0
        for command in pipeline.commands:
            after = tuple(
                replace(end, ended=before.ended, errexit=before.errexit)
                for state in states
                for end in self._command(command, replace(state, ended=False), guarded=True)
            )
            acting += _loads(command) or any(
                end.steps != state.steps or end.loaded != state.loaded or end.doubt != state.doubt
                for end in after
                for state in states[:1]
            )
            if acting and command is not pipeline.commands[-1]:
                why = f"{self.command.where} pipes what a command prints to one that may end it"
                reader = pipeline.commands[pipeline.commands.index(command) + 1]
                if not _reads_all(reader):
                    after = tuple(end.never_certain(why) for end in after)
            states = self._bounded(after)
        if acting > 1:
            why = f"{self.command.where} runs commands in a pipe, so at the same time"
            states = tuple(state.never_certain(why) for state in states)
        return states

    def _bounded(self, states: tuple[State, ...]) -> tuple[State, ...]:
        return bounded(states, self.command.where)

    def _command(
        self, command: parser.Simple | parser.Group, state: State, *, guarded: bool
    ) -> tuple[State, ...]:
        if isinstance(command, parser.Simple):
            return run_program(self.config, command, state, self.nested)
        can, why, before = opened(self.config, command.redirections, state)
        failed = before.exits(1, why).assuming(why)
        if can is False:
            return (failed,)
        ends = self.sequence(command.body, (before,), guarded=guarded)
        if target := writes_key_blindly(self.config, "", command.redirections):
            ends = tuple(end.unknown_effect(f"what a group writes to {target}") for end in ends)
        ends = tuple(replace(end, stdout=None) for end in ends)
        if command.subshell:
            ends = tuple(replace(end, ended=False, errexit=state.errexit) for end in ends)
        return ends if can else (*ends, failed)

    def nested(self, text: str, state: State, shell: str, *, errexit: bool) -> tuple[State, ...]:
        """Run the command of a ``sh -c``."""
        inner = replace(self.command, text=text)
        if len(text) >= len(self.command.text):
            return (state.never_certain(f"{self.command.where} starts shells in an endless loop"),)
        ends = run_shell(self.config, inner, replace(state, errexit=errexit, status=0), shell)
        back = tuple(replace(end, errexit=state.errexit, stdout=None) for end in ends)
        if any(end.lasting != state.lasting for end in back):
            return tuple(replace(end, status=status) for end in back for status in (0, 1))
        return back


def _errexit(last: parser.Simple | parser.Group, state: State) -> tuple[State, ...]:
    """What ``set -e`` makes of a status; of that of ``{ ...; }``, which shells differ in, both."""
    if not state.errexit or not state.status or state.ended:
        return (state,)
    ended = replace(state, ended=True)
    if isinstance(last, parser.Simple) or last.subshell:
        return (ended,)
    return state, ended.assuming("whether 'set -e' ends the command after a group is not known")


#: Programs that read their input to its end.
_READERS = frozenset(("cat", "tee", "logger", "grep", "egrep", "sort", "wc", "systemd-cat"))
_QUITS = re.compile(r"-[A-Za-z]*[qm]|--(quiet|silent|max-count)")  # grep, at the first match


def _loads(node: parser.AndOr | parser.Simple | parser.Group) -> bool:
    """Whether modprobe or insmod is called, be it to remove a module that is not loaded."""
    if isinstance(node, parser.Simple):
        return any("mod" in word.text for word in node.words)
    if isinstance(node, parser.Group):
        return any(map(_loads, node.body.items))
    pipelines = (node.first, *(pipeline for _, pipeline in node.rest))
    return any(_loads(command) for pipeline in pipelines for command in pipeline.commands)


def _reads_all(command: parser.Simple | parser.Group) -> bool:
    if isinstance(command, parser.Group) or not command.words:
        return False
    name = command.words[0].text.rpartition("/")[2]
    return name in _READERS and not any(_QUITS.match(word.text) for word in command.words[1:])


def loaded(config: HostConfig) -> State:
    """A freshly loaded ip_vs: the key at the kernel's default of 1."""
    return State(loaded=True, value=1 if config.has_switch is not False else None)
