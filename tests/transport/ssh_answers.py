"""What the real ``ssh -G`` says of the files in ssh_config/; run it to record its answers anew."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

FILES = Path(__file__).with_name("ssh_config")
RECORDED = FILES / "answers.json"
#: Keywords that change how a host is reached.
KEYWORDS = (
    "addressfamily", "bindaddress", "certificatefile", "connecttimeout", "globalknownhostsfile",
    "hashknownhosts", "hostkeyalias", "hostname", "identitiesonly", "identityagent", "identityfile",
    "kbdinteractiveauthentication", "passwordauthentication", "port", "preferredauthentications",
    "proxycommand", "proxyjump", "pubkeyauthentication", "revokedhostkeys", "user",
    "userknownhostsfile",
)  # fmt: skip

#: Keyword -> what it is set to; None where ssh refuses the file.
Answer = dict[str, str] | None
Answers = dict[str, dict[str, Answer]]


def hosts(path: Path) -> list[str]:
    """The hosts that a file asks about, in its own comment."""
    told = re.search(rb"^# hosts: (.*?)\r?$", path.read_bytes(), re.MULTILINE)
    assert told is not None, path
    return told[1].decode().split()


def copy(path: Path, folder: Path) -> Path:
    """The file with its Includes in place."""
    made = folder / path.name
    made.write_bytes(path.read_bytes().replace(b"/HERE", os.fsencode(FILES)))
    return made


def version() -> str:
    """E.g. ``OpenSSH_9.2``."""
    told = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.match(r"OpenSSH_\d+\.\d+", told)
    return found[0] if found else ""


def ask(path: Path, host: str) -> Answer:
    """What ssh says, but for what it says of any host in any case."""
    told = _ask(path, host)
    plain = _ask(Path("/dev/null"), host)
    if told is None or plain is None:
        return None
    return {key: told[key] for key in KEYWORDS if key in told and told[key] != plain.get(key)}


def _ask(path: Path, host: str) -> Answer:
    told = subprocess.run(["ssh", "-G", "-F", str(path), host], capture_output=True, check=False)
    if told.returncode:
        return None
    found: dict[str, list[str]] = {}
    for line in told.stdout.decode("utf-8", "surrogateescape").split("\n"):
        key, _, value = line.partition(" ")
        value = " ".join(word.replace(f"{Path.home()}/", "~/", 1) for word in value.split(" "))
        found.setdefault(key, []).append({"false": "no", "true": "yes"}.get(value, value))
    return {key: "\n".join(values) for key, values in found.items()}


def answers(folder: Path) -> Answers:
    """What ssh says of each host of each file."""
    return {
        path.name: {host: ask(copy(path, folder), host) for host in hosts(path)}
        for path in sorted(FILES.glob("*.conf"))
    }


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as here:
        said = {"ssh": version(), "answers": answers(Path(here))}
    RECORDED.write_text(json.dumps(said, indent=1) + "\n")
