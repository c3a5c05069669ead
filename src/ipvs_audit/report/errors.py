"""A report that could not be written, or not be read back."""


class ReportError(Exception):
    """Names the path, what is wrong with it, and what to do."""
