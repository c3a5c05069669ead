"""The CI job that a run belongs to, as the environment tells it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Jenkins, GitLab.
VARIABLES = ("BUILD_URL", "CI_JOB_URL")
_LONGEST = 2_000
_PLAIN = re.compile(r"[A-Za-z0-9._~:/?#@!$&()*+,;=%\[\]-]+")


def job_link(environment: Mapping[str, str]) -> str:
    """The job's address; empty where there is none, or none that may become a link.

    Only http and https, without a name or password in it.

    >>> job_link({"BUILD_URL": "https://ci.example.com/job/ipvs-audit/12/"})
    'https://ci.example.com/job/ipvs-audit/12/'
    >>> job_link({"BUILD_URL": "javascript:alert(1)"})
    ''
    """
    for variable in VARIABLES:
        if link := safe_link(environment.get(variable, "")):
            return link
    return ""


def safe_link(address: str) -> str:
    """An http or https address fit for a link, credentials taken out; else nothing."""
    if len(address) > _LONGEST or not _PLAIN.fullmatch(address):
        return ""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
