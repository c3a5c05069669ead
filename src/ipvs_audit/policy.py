"""What the audit demands: the direction, the kernel floors, the thresholds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Policy(BaseModel):
    """The policy of one host: the file's defaults, changed by its inventory variables.

    Attributes:
        estimation: what must be; ``disabled`` is the vendor's recommendation.
        ack: the host belongs to an Alibaba ACK cluster: container namespaces are exempt.
        namespaces: judge namespaces ``with-rules`` only, or ``every`` one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    estimation: Literal["disabled", "enabled"] = "disabled"
    ack: bool = False
    namespaces: Literal["with-rules", "every"] = "with-rules"
    floors: dict[str, str] = Field(
        default_factory=lambda: {"alinux2": "4.19.91-22", "alinux3": "5.10.134-14"}
    )

    def accepts(self, value: int) -> bool:
        """Whether a value of run_estimation is what the policy asks; 0 is off, all else is on."""
        return (value == 0) == (self.estimation == "disabled")

    @property
    def wanted(self) -> int:
        """The value that a remedy would write: 0 or 1."""
        return 0 if self.estimation == "disabled" else 1
