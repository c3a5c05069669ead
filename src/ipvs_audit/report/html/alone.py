"""What a page in one file holds in itself, and the policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Alone:
    """The style and the script of such a page; the policy names both by their digests."""

    style: Markup
    script: Markup
    policy: str

    @classmethod
    def of(cls, style: str, script: str = "") -> Alone:
        """Of texts of our own, which are written into the page as they are."""
        scripts = _source(script) if script else "'none'"
        policy = (
            f"default-src 'none'; style-src {_source(style)}; script-src {scripts};"
            " base-uri 'none'; form-action 'none'"
        )
        return cls(Markup(style), Markup(script), policy)  # noqa: S704  # our own files


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
