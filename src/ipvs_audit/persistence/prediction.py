"""The value that a key has after a reload or a boot, and the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.persistence.side_effects import SideEffect
    from ipvs_audit.snapshot.sysctl_key import Value

Accepts = Callable[[int], bool]
"""Whether the policy accepts a value; see :meth:`ipvs_audit.model.policy.Policy.accepts`."""


def is_compliant(accepts: Accepts, value: Value | None) -> bool:
    """Whether a value is known and accepted by the policy; text never is."""
    return isinstance(value, int) and accepts(value)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The value after a reload or a boot.

    Attributes:
        value: None where the key does not exist then.
        because: what sets the value, in one sentence without a full stop.
        doubt: why the value is not certain; empty where it is.
        fault: what breaks outright, whatever the value; empty for nothing.
        notes: consequences that an operator should know.
        effects: what a load of ip_vs sets besides, where that is not proven to change nothing.
    """

    value: Value | None
    because: str
    doubt: str = ""
    fault: str = ""
    notes: tuple[str, ...] = ()
    effects: tuple[SideEffect, ...] = ()

    def holds(self, accepts: Accepts) -> bool | None:
        """Whether the policy accepts the value; None where that is not known.

        A key that does not exist, because ip_vs cannot be loaded, holds: estimation cannot run.
        """
        if self.fault:
            return False
        if self.doubt:
            return None
        return self.value is None or is_compliant(accepts, self.value)

    @property
    def reason(self) -> str:
        """What breaks, what is not known, or what sets the value."""
        return self.fault or self.doubt or self.because

    @property
    def summary(self) -> str:
        """The value and its reason on one line, then each note on a line of its own."""
        value = "not set" if self.value is None else self.value
        if self.doubt and not self.fault:
            value = "not known"
        return "\n  ".join([f"{value}: {self.reason}", *self.notes])
