"""What the audit requires: the direction, the kernel floors, the severities.

>>> policy, digest = load_policy(None)
>>> policy.estimation, policy.wanted
('disabled', 0)
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ipvs_audit.model import limits
from ipvs_audit.model.limits import LATENCY_SPIKE_MS
from ipvs_audit.model.strict_yaml import StrictYaml, StrictYamlError, read_settings
from ipvs_audit.model.usage_error import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from ipvs_audit.model.target import Target

_RELEASE = r"^\d+(\.\d+)+(-\S+)?$"
_CONTROL = r"^[A-Z][A-Z0-9]*-\d+$"

Release = Annotated[str, Field(pattern=_RELEASE)]
ControlId = Annotated[str, Field(pattern=_CONTROL)]
Severity = Literal["high", "medium", "low"]
ReferenceText = Annotated[str, Field(min_length=1, max_length=200)]

_KINDS = {dict: "a mapping", list: "a list", type(None): "empty"}


class PolicyError(UsageError):
    """A policy that cannot be used; the message names the file or host, the place, what to do."""


class Policy(BaseModel):
    """The policy of one host: the file's defaults, changed by its inventory variables.

    Attributes:
        estimation: what must be; ``disabled`` is the vendor's recommendation.
        ack: the host belongs to an Alibaba ACK cluster: other namespaces are exempt, unless one is
            seen to hold rules.
        namespaces: judge namespaces ``with-rules`` only, or ``every`` one.
        floors: the first kernel release of a distribution that can switch estimation off, by
            os-release's ID and major version run together, e.g. ``alinux3``.
        sample_seconds: how far apart the two readings of the counters are, 5 to 60 seconds.
        severity: control id to ``high``, ``medium`` or ``low``, where it is not the control's own.
        references: control id to an organisation's own names for the requirement, for the reports.
        max_age_hours: evidence that is older when the run starts is an error; None takes any.
        remedy: where remediation persists the value: the vendor's ``recipe`` (/etc/sysctl.conf and
            a hook that runs ``sysctl -p``), a ``drop-in`` in /etc/sysctl.d and a hook for it alone,
            or ``auto``: the recipe where its hook is proven to change nothing else, else a drop-in.
        accept_statistics_loss: remediation may switch estimation off although something on the host
            reads IPVS statistics.
        accept_recipe_side_effects: remediation by ``recipe`` may let each load of ip_vs apply other
            lines that are not proven to change nothing.
        latency_seconds: for how long round trips are measured, where that is asked for.
        latency_ssh_ms, latency_icmp_ms: milliseconds from one round trip to the next.
        latency_spike_ms: milliseconds above the median from which a round trip is delayed.
        latency_spikes: delays in one measurement that still count as steady.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    estimation: Literal["disabled", "enabled"] = "disabled"
    ack: bool = False
    namespaces: Literal["with-rules", "every"] = "with-rules"
    floors: dict[str, Release] = Field(
        default_factory=lambda: {"alinux2": "4.19.91-22", "alinux3": "5.10.134-14"}
    )
    sample_seconds: int = Field(
        default=limits.SHORTEST_SPAN, ge=limits.SHORTEST_SPAN, le=limits.LONGEST_SPAN
    )
    severity: dict[ControlId, Severity] = Field(default_factory=dict)
    references: dict[ControlId, list[ReferenceText]] = Field(default_factory=dict)
    max_age_hours: int | None = Field(default=None, ge=1)
    remedy: Literal["auto", "recipe", "drop-in"] = "auto"
    accept_statistics_loss: bool = False
    accept_recipe_side_effects: bool = False
    latency_seconds: int = Field(default=12, ge=10, le=120)
    latency_ssh_ms: int = Field(default=5, ge=2, le=100)
    latency_icmp_ms: int = Field(default=20, ge=10, le=100)
    latency_spike_ms: int = Field(default=LATENCY_SPIKE_MS, ge=5, le=1000)
    latency_spikes: int = Field(default=2, ge=0, le=20)

    def accepts(self, value: int) -> bool:
        """Whether a value of run_estimation is what the policy asks; 0 is off, all else is on."""
        return (value == 0) == (self.estimation == "disabled")

    @property
    def demand(self) -> str:
        """What is asked of a value, as it follows its name in a sentence."""
        return "= 0" if self.estimation == "disabled" else "other than 0"

    @property
    def wanted(self) -> int:
        """The value that remediation would write: 0 or 1."""
        return 0 if self.estimation == "disabled" else 1


def load_policy(path: Path | None) -> tuple[Policy, str]:
    """Read a policy file, or take the vendor's recommendation where there is none.

    Returns:
        The policy, and the sha256 of the file as ``sha256sum`` gives it; without a file, the
        sha256 of the default policy as JSON.

    Raises:
        PolicyError: naming file, line and key.
    """
    if path is None:
        policy = Policy()
        return policy, hashlib.sha256(policy.model_dump_json().encode()).hexdigest()
    try:
        raw = read_settings(path)
    except OSError as error:
        raise PolicyError(f"{path}: cannot read the policy: {error.strerror}") from error
    return _parse(raw, path), hashlib.sha256(raw).hexdigest()


def policy_for(policy: Policy, target: Target) -> Policy:
    """The policy of one host: its ``ipvs_audit_*`` variables over the file's.

    ``floors`` and ``severity`` are merged key by key; everything else is replaced.

    Raises:
        PolicyError: naming the host and the variable.
    """
    if not target.policy:
        return policy
    if "references" in target.policy:
        raise PolicyError(
            "set references in the policy file, they are those of the whole run:"
            f" host {target.name} has ipvs_audit_references"
        )
    changed: dict[str, object] = policy.model_dump()
    for name, value in target.policy.items():
        before = changed.get(name)
        if isinstance(before, dict) and isinstance(value, Mapping):
            changed[name] = {**before, **value}
        else:
            changed[name] = value
    try:
        return Policy.model_validate(changed)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise PolicyError(
            f"host {target.name}: ipvs_audit_{_dotted(first['loc'])} {_reason(first)}"
        ) from None


def unknown_name(name: str, prefix: str = "", also: tuple[str, ...] = ()) -> str:
    """Say that no such policy setting exists, and which one was probably meant."""
    known = (*Policy.model_fields, *also)
    return f"{prefix}{name} is not a policy setting{nearest(name, known, prefix)}"


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """`` (did you mean x?)``, or the whole short list where nothing is near."""
    names = sorted(known)
    if near := difflib.get_close_matches(name, names, n=1):
        return f" (did you mean {prefix}{near[0]}?)"
    return f" (known: {', '.join(prefix + each for each in names)})"


def _parse(raw: bytes, path: Path) -> Policy:
    try:
        document = StrictYaml.parse(raw, str(path))
    except StrictYamlError as error:
        raise PolicyError(str(error)) from None
    if not isinstance(document.data, dict):
        raise PolicyError(
            f"{document.place()}: a policy is a mapping of settings, e.g. 'estimation: disabled'"
        )
    try:
        return Policy.model_validate(document.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise PolicyError(
            f"{document.place(first['loc'])}: {_dotted(first['loc'])} {_reason(first)}"
        ) from None


def _dotted(place: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in place if step != "[key]")


def _reason(error: ErrorDetails) -> str:
    """What is wrong with a setting, as it follows the setting's name."""
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return "is not a policy setting" + nearest(str(error["loc"][-1]), Policy.model_fields)
    shown = repr(given) if isinstance(given, str | int | float) else _KINDS.get(type(given), "that")
    if kind == "literal_error":
        quote = "; in quotes: bare on, off, yes, no are booleans" if given in (True, False) else ""
        return f"is {shown}; must be {error['ctx']['expected']}{quote}"
    if kind == "string_pattern_mismatch":
        example = "a control's id, e.g. EST-4" if "[key]" in error["loc"] else "e.g. 5.10.134-14"
        return f"is {shown}; must look like {example}"
    if kind == "string_type":
        return f"is {shown}; must be text: put it in quotes"
    message = error["msg"]
    return f"is {shown}; {message[0].lower()}{message[1:]}"
