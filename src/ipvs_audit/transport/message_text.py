"""Text from a host, made fit for one line of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model import limits

if TYPE_CHECKING:
    from pydantic import SecretStr


def one_line(
    data: bytes | str,
    secrets: tuple[SecretStr | None, ...] = (),
    *,
    length: int = limits.QUOTE_LENGTH,
) -> str:
    r"""One harmless line of at most so many characters of what a host said, secrets starred out.

    >>> from pydantic import SecretStr
    >>> one_line(b"\x1b[31mno\nway hunter2", (SecretStr("hunter2"),))
    '[31mno way ***'
    """
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    for secret in secrets:
        if secret is not None and secret.get_secret_value():
            text = text.replace(secret.get_secret_value(), "***")
    text = " ".join(
        "".join(c if c.isprintable() else " " for c in text[: limits.QUOTE_SEARCHED]).split()
    )
    return text if len(text) <= length else text[:length] + " [...]"


def output_note(data: bytes, secrets: tuple[SecretStr | None, ...] = ()) -> str:
    """`; output: "..."`; empty where there is none."""
    text = one_line(data, secrets)
    return f'; output: "{text}"' if text else ""
