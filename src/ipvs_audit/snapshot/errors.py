"""Evidence that does not parse."""


class GarbledEvidenceError(Exception):
    """A section that the probe brought cannot be read; names the section and what is wrong."""

    def __init__(self, section: str, reason: str) -> None:
        super().__init__(f"the probe's section {section!r} cannot be read: {reason}")
        self.section = section
        self.reason = reason
