"""What a reload or a boot leaves of the value, told so that an operator can act on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.snapshot.sysctl_key import Value

Accepts = Callable[[int], bool]
"""Whether a value is what the policy asks; see :meth:`ipvs_audit.model.policy.Policy.accepts`."""


def wanted(accepts: Accepts, value: Value | None) -> bool:
    """Whether a value is known and what the policy asks; text never is."""
    return isinstance(value, int) and accepts(value)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state in which a reload or a boot leaves the key.

    Attributes:
        value: of the key; None where it does not exist then.
        because: the mechanism, or the first reason, in one sentence without a full stop.
        doubt: why the value is not certain; empty where it is.
        fault: what breaks outright, whatever the value; empty for nothing.
        notes: consequences that an operator should know.
    """

    value: Value | None
    because: str
    doubt: str = ""
    fault: str = ""
    notes: tuple[str, ...] = ()

    def holds(self, accepts: Accepts) -> bool | None:
        """Whether the value is what is wanted; None where that is not known.

        A key that does not exist because ip_vs cannot be loaded is neither on nor off: held.
        """
        if self.fault:
            return False
        if self.doubt:
            return None
        return self.value is None or wanted(accepts, self.value)

    @property
    def sentence(self) -> str:
        """The answer's reason: what breaks, what is not known, or what decides."""
        return self.fault or self.doubt or self.because

    @property
    def told(self) -> str:
        """The value and its reason in one line, and each note in one of its own."""
        value = "not known" if self.doubt else "no key" if self.value is None else self.value
        return "\n  ".join([f"{value}: {self.sentence}", *self.notes])
