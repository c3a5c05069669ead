"""Follows a hook's command: is ip_vs loaded, which value has the key, which exit status."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.persistence import shell_parser
from ipvs_audit.persistence.hook_programs import run_program
from ipvs_audit.persistence.hook_state import Command, State

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

_MOST_STATES = 32


@lru_cache(maxsize=4096)
def run_shell(config: HostConfig, command: Command, state: State) -> tuple[State, ...]:
    """The states that a hook's command may end in: one, where nothing depends on the unknown."""
    options = " ".join(entry.rest for entry in config.modprobe.all("options", "ip_vs"))
    text = command.text.replace("$CMDLINE_OPTS", options)
    try:
        body = shell_parser.parse(text, {"MODPROBE_MODULE": "ip_vs"})
    except shell_parser.UnsupportedShellError as unsupported:
        return (
            state.doubtful(
                f"{command.where} runs a command that this audit cannot read: {unsupported}"
            ),
        )
    runner = _Runner(config, command)
    return tuple({replace(end, ended=False): None for end in runner.sequence(body, (state,))})


@dataclass(frozen=True, slots=True)
class _Runner:
    config: HostConfig
    command: Command

    def sequence(self, body: shell_parser.Sequence, states: tuple[State, ...]) -> tuple[State, ...]:
        for item in body.items:
            states = self._and_or(item, states)
            if item.background:
                why = f"{self.command.where} runs a command in the background"
                states = tuple(state.doubtful(why) if state.steps else state for state in states)
        return states

    def _and_or(self, item: shell_parser.AndOr, states: tuple[State, ...]) -> tuple[State, ...]:
        states = self._pipeline(item.first, states)
        for operator, pipeline in item.rest:
            on_success = operator == "&&"
            going = tuple(state for state in states if (state.status == 0) == on_success)
            stay = tuple(state for state in states if (state.status == 0) != on_success)
            states = (*stay, *self._pipeline(pipeline, going))
        return states

    def _pipeline(
        self, pipeline: shell_parser.Pipeline, states: tuple[State, ...]
    ) -> tuple[State, ...]:
        states = tuple(replace(state, stdout=None) for state in states)
        for command in pipeline.commands:
            states = tuple(
                end
                for state in states
                for end in ((state,) if state.ended else self._command(command, state))
            )
            if len(states) > _MOST_STATES:
                why = f"{self.command.where} has more possible outcomes than this audit follows"
                states = (states[0].doubtful(why),)
        if pipeline.negated:
            states = tuple(
                state if state.ended else replace(state, status=int(state.status == 0))
                for state in states
            )
        return states

    def _command(
        self, command: shell_parser.Simple | shell_parser.Group, state: State
    ) -> tuple[State, ...]:
        if isinstance(command, shell_parser.Simple):
            return run_program(self.config, command, state, self.nested)
        ends = self.sequence(command.body, (state,))
        if command.subshell:
            ends = tuple(replace(end, ended=False) for end in ends)
        return ends

    def nested(self, text: str, state: State) -> tuple[State, ...]:
        """Run the command of a ``sh -c``."""
        inner = Command(text, self.command.where, self.command.kind)
        if len(text) >= len(self.command.text):
            return (state.doubtful(f"{self.command.where} starts shells in an endless loop"),)
        return run_shell(self.config, inner, state)


def loaded(config: HostConfig) -> State:
    """A freshly loaded ip_vs: the key at the kernel's default of 1."""
    return State(loaded=True, value=1 if config.has_switch is not False else None)
