"""What a plan consists of: small steps, each with its reason and what it does, to the byte."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.remedy.file_edits import unified

#: Where the kernel shows the running value.
KEY_FILE = "/proc/sys/net/ipv4/vs/run_estimation"


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Replace or create one file. Needs root: CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER.

    Attributes:
        control: the control that it serves.
        reason: why, in a sentence.
        path: the real file, after all links.
        before: its bytes now; None where it does not exist.
        after: its bytes then.
    """

    control: str
    reason: str
    path: str
    before: bytes | None
    after: bytes

    @property
    def before_sha256(self) -> str:
        """Of the file as it lies; ``-`` where there is none."""
        return "-" if self.before is None else hashlib.sha256(self.before).hexdigest()

    @property
    def after_sha256(self) -> str:
        """Of the file as it will be."""
        return hashlib.sha256(self.after).hexdigest()

    @property
    def title(self) -> str:
        """In a few words."""
        return f"{'create' if self.before is None else 'change'} {self.path}"

    @property
    def detail(self) -> str:
        """The unified diff."""
        return unified(self.path, self.before, self.after)


@dataclass(frozen=True, slots=True)
class SetRunningValue:
    """Set the running value in one network namespace.

    Needs root: CAP_NET_ADMIN in the namespace; for another namespace than the host's also
    CAP_SYS_ADMIN to enter it and CAP_SYS_PTRACE to find it.

    Attributes:
        control: the control that it serves.
        reason: why, in a sentence.
        inode: of the namespace.
        name: what an operator knows it by.
        before: the value as the snapshot has it.
        after: the value to write.
        own: whether it is the host's own namespace.
    """

    control: str
    reason: str
    inode: int
    name: str
    before: int
    after: int
    own: bool

    @property
    def title(self) -> str:
        """In a few words."""
        where = "the host's namespace" if self.own else f"namespace {self.name}"
        return f"set the running value in {where}"

    @property
    def detail(self) -> str:
        """The exact command."""
        write = f"echo {self.after} >{KEY_FILE}"
        if self.own:
            return write
        return f"nsenter --net=<net:[{self.inode}]> sh -c '{write}'"


Step = WriteFile | SetRunningValue


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done on one host.

    Attributes:
        target: inventory name.
        steps: in the order in which they are done.
        needs_approval: why the operator has to approve them first; empty where that is done.
        blocked: why they cannot be done, or why no step would help; empty where they can.
        notes: what an operator should know besides.
    """

    target: str
    steps: tuple[Step, ...] = ()
    needs_approval: str = ""
    blocked: str = ""
    notes: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether there is something to do that may and can be done."""
        return bool(self.steps) and not self.needs_approval and not self.blocked

    @property
    def status(self) -> RemediationStatus:
        """What the plan makes of the host, before anything is done."""
        if self.blocked:
            return RemediationStatus.CANNOT_BE_REMEDIATED
        if not self.steps:
            return RemediationStatus.ALREADY_COMPLIANT
        if self.needs_approval:
            return RemediationStatus.NEEDS_APPROVAL
        return RemediationStatus.PLANNED
