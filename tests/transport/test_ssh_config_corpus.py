"""Over a hundred ssh_config files of the kinds that people have, read as ``ssh -G`` reads them.

Its answers are recorded in ssh_config/answers.json by ssh_answers.py, and asked for anew where
the ssh of this machine is of the version that was recorded.
"""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import ssh_answers

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.ssh import hop as hops
from ipvs_audit.transport.ssh import ssh_config
from ipvs_audit.transport.ssh.expansion import expand
from ipvs_audit.transport.ssh.ssh_config_lookup import HostSettings, look_up

if TYPE_CHECKING:
    from ssh_answers import Answer

NAMES = sorted(path.name for path in ssh_answers.FILES.glob("*.conf"))
YES_OR_NO = {
    "hashknownhosts": "no", "identitiesonly": "no", "kbdinteractiveauthentication": "yes",
    "passwordauthentication": "yes", "pubkeyauthentication": "yes",
}  # fmt: skip


@functools.cache
def recorded() -> dict[str, dict[str, Answer]]:
    answers: dict[str, dict[str, Answer]] = json.loads(ssh_answers.RECORDED.read_text())["answers"]
    return answers


def our_answer(path: Path, host: str) -> Answer:
    """The same as :func:`ssh_answers.ask`, by our reader."""
    try:
        told, plain = (
            _told(look_up(ssh_config.read([each]), host), host)
            for each in (path, Path("/dev/null"))
        )
    except TransportError:
        return None
    return {key: told[key] for key in told if told[key] != plain.get(key)}


def _told(found: HostSettings, host: str) -> dict[str, str]:
    name = expand(found.first("hostname", host), {"h": host})
    told = {
        "hostname": name if ":" in name else name.lower(),
        "port": str(hops._port(host, found.first("port", "22"))),
        "hostkeyalias": found.first("hostkeyalias", "").lower(),
        "identityfile": "\n".join(found.words.get("identityfile", ())),
        "certificatefile": "\n".join(found.words.get("certificatefile", ())),
        "proxyjump": found.first("proxyjump", "none").replace("ssh://", ""),
        **{key: found.first(key, yes) for key, yes in YES_OR_NO.items()},
    }
    seconds = hops._seconds(host, found.first("connecttimeout", "none"))
    told["connecttimeout"] = "none" if seconds is None else str(int(seconds))
    for key in ("user", "addressfamily", "bindaddress", "identityagent", "proxycommand",
                "preferredauthentications", "revokedhostkeys"):  # fmt: skip
        told[key] = found.first(key, "")
    for key in ("userknownhostsfile", "globalknownhostsfile"):
        words = [expand(word, {"h": host}) for word in found.words.get(key, ())]
        told[key] = " ".join(words)
    for key in YES_OR_NO:
        told[key] = {"true": "yes", "false": "no"}.get(told[key].lower(), told[key].lower())
    told = {key: "" if value.lower() == "none" and key.startswith("proxy") else value
            for key, value in told.items()}  # fmt: skip
    return {key: value for key, value in told.items() if value}


@pytest.mark.parametrize("name", NAMES)
def test_file_is_read_as_openssh_reads_it(name: str, tmp_path: Path) -> None:
    path = ssh_answers.copy(ssh_answers.FILES / name, tmp_path)
    asked = ssh_answers.hosts(path)
    assert {host: our_answer(path, host) for host in asked} == recorded()[name]


@pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")
def test_recorded_answers_are_what_ssh_says(tmp_path: Path) -> None:
    if ssh_answers.version() != json.loads(ssh_answers.RECORDED.read_text())["ssh"]:
        pytest.skip("the ssh of this machine is of another version")
    assert ssh_answers.answers(tmp_path) == recorded()
