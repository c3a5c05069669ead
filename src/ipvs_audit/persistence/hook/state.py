"""The state of a host between two commands of a hook."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.persistence.resolution import Resolution
    from ipvs_audit.persistence.side_effects import SideEffect
    from ipvs_audit.snapshot.sysctl_key import Value


#: Outcomes of one command, or of a few, that are followed beside each other.
_MOST_STATES = 32


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a configuration file runs.

    Attributes:
        text: as written.
        where: file and line.
        module: of a hook, the module that is loaded, as kmod tells it in $MODPROBE_MODULE; empty
            where that is not known or not set.
    """

    text: str
    where: str
    module: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one command did to the key.

    Attributes:
        command: as written, e.g. ``/sbin/sysctl -p``.
        did: its effect, e.g. ``sets 0 (/etc/sysctl.conf:3)``.
        writes: the value that it leaves in the key; None where it writes nothing.
        resolution: what a sysctl loader made of the key, where it was one.
    """

    command: str
    did: str
    writes: Value | None = None
    resolution: Resolution | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The state after a command.

    Attributes:
        loaded: whether ip_vs is loaded.
        value: of the key; None while it does not exist.
        doubt: why value is not certain; empty where it is.
        unknown: a command ran whose effect on the key is not known.
        fault: what makes the hook break outright, e.g. that it calls itself; empty for none.
        status: exit status of the last command: 0 or not.
        written: whether a command has written the key since ip_vs was loaded.
        steps: the commands that concerned the key, in order.
        failed: why commands failed, one sentence each.
        stdout: what the last command printed, for the next one in a pipe; None where unknown.
        ended: ``exit`` was reached.
        lasting: a doubt that no later command settles, e.g. one that runs in the background.
        errexit: ``set -e`` is in force.
        outside: the command is not part of ip_vs's own hook, so that ``modprobe ip_vs`` runs that;
            value is what it leaves.
        lacks: why a program could not be run, or why it cannot load ip_vs; the first reason.
        effects: what else the sysctl loaders applied that may have changed something.
        assumed: what was taken for this state rather than another one, a sentence each.
    """

    loaded: bool = False
    value: Value | None = None
    doubt: str = ""
    unknown: bool = False
    fault: str = ""
    status: int = 0
    written: bool = False
    steps: tuple[Step, ...] = ()
    failed: tuple[str, ...] = ()
    stdout: str | None = None
    ended: bool = False
    lasting: str = ""
    errexit: bool = False
    outside: bool = False
    lacks: str = ""
    effects: tuple[SideEffect, ...] = ()
    assumed: tuple[str, ...] = field(default=(), compare=False)

    def exits(self, status: int, why: str = "") -> State:
        """This state with an exit status, and why it is not 0."""
        return replace(self, status=status, failed=(*self.failed, why) if why else self.failed)

    def lacking(self, why: str) -> State:
        """This state after a command that cannot be run, or that can never load ip_vs."""
        return replace(self.exits(1, why), lacks=self.lacks or why, stdout=None)

    def doubtful(self, why: str) -> State:
        """This state with a value that is not certain."""
        return replace(self, doubt=self.doubt or why)

    def never_certain(self, why: str) -> State:
        """This state with a value that is not certain, whatever runs later."""
        return replace(self.doubtful(why), lasting=self.lasting or why)

    def assuming(self, what: str) -> State:
        """This state as one of several, and what makes it this one."""
        return replace(self, assumed=(*self.assumed, what))

    def either(self, text: str) -> tuple[State, State]:
        """This state after a command that may succeed, and that may fail."""
        open_ = f"whether {text!r} succeeds is not known"
        after = replace(self, stdout=None)
        return replace(after, status=0), replace(after, status=1).assuming(open_)

    def unknown_effect(self, what: str) -> State:
        """This state after a command of which it is not known what it does."""
        return replace(self.doubtful(f"{what} is not known to this audit"), unknown=True)

    def broken(self, why: str) -> State:
        """This state with a fault: the hook breaks outright, unless that is not certain either."""
        if self.lasting:
            return replace(self, status=1, ended=True)
        return replace(self, fault=self.fault or why, status=1, ended=True)

    def with_step(self, step: Step) -> State:
        """This state with a step that wrote nothing."""
        return replace(self, steps=(*self.steps, step))

    def after_write(self, step: Step) -> State:
        """This state with the key written: earlier doubts no longer matter."""
        return replace(
            self,
            value=step.writes,
            doubt=self.lasting,
            unknown=False,
            written=True,
            status=0,
            steps=(*self.steps, step),
        )


def bounded(states: tuple[State, ...], what: str) -> tuple[State, ...]:
    """The states, each once; a single one that is never certain in place of too many.

    Args:
        states: what may be so.
        what: has these outcomes, as a message begins.
    """
    states = tuple(dict.fromkeys(states))
    if len(states) > _MOST_STATES:
        why = f"{what} has more possible outcomes than this audit follows"
        return (states[0].never_certain(why),)
    return states
