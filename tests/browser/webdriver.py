"""A browser that is driven: just as much of the WebDriver protocol as the tests need."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 60
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900")


class Browser:
    """One window of a headless Chromium."""

    def __init__(self, address: str) -> None:
        self._address = address

    def go(self, address: str) -> None:
        """Open a page, and wait for its scripts: under load the driver may answer sooner."""
        self._post("url", {"url": address})
        there = "return [document.readyState, location.href]"
        assert self.soon(["complete", address], there) == ["complete", address]

    def run(self, script: str, *arguments: object) -> Any:
        """The value that a function body returns."""
        return self._post("execute/sync", {"script": script, "args": list(arguments)})

    def soon(self, wanted: object, script: str, *arguments: object) -> Any:
        """The same once it is what is wanted: keys reach a page some time after they were sent.

        After a minute the value as it is then, for the assertion to show.
        """
        end = time.monotonic() + _PATIENCE
        while (value := self.run(script, *arguments)) != wanted and time.monotonic() < end:
            time.sleep(0.05)
        return value

    def type(self, selector: str, text: str) -> None:
        found = self._post("element", {"using": "css selector", "value": selector})
        (element,) = found.values()
        self._post(f"element/{element}/value", {"text": text})

    def press(self, keys: str) -> None:
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._post("actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def look(self, media: str = "", **features: str) -> None:
        """Draw as for a medium, and with media features, such as ``prefers_color_scheme="dark"``.

        From now on; without arguments as the browser does by itself.
        """
        told = [{"name": name.replace("_", "-"), "value": of} for name, of in features.items()]
        parameters = {"media": media, "features": told}
        self._post("goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": parameters})

    def _post(self, path: str, body: dict[str, object]) -> Any:
        return ask("POST", f"{self._address}/{path}", body)


def ask(method: str, address: str, body: dict[str, object] | None = None) -> Any:
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.netloc, timeout=_PATIENCE)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, place.path, sent, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        value = json.load(answer)["value"]
        assert answer.status == HTTPStatus.OK, value
        return value
    finally:
        connection.close()


@contextmanager
def browser(driver: str, profile: str) -> Iterator[Browser]:
    """Start chromedriver and one browser; both are gone afterwards."""
    process = subprocess.Popen(
        [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        address = f"http://127.0.0.1:{_port(process)}/session"
        wanted = {
            "goog:chromeOptions": {"args": [*_OPTIONS, f"--user-data-dir={profile}"]},
            "timeouts": {"implicit": _PATIENCE * 500, "script": _PATIENCE * 1_000},
        }
        made = ask("POST", address, {"capabilities": {"alwaysMatch": wanted}})
        session = f"{address}/{made['sessionId']}"
        try:
            yield Browser(session)
        finally:
            ask("DELETE", session)
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _port(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    end = time.monotonic() + _PATIENCE
    for line in process.stdout:
        if "started successfully on port " in line:
            return line.rpartition("on port ")[2].strip().rstrip(".")
        assert time.monotonic() < end
    raise AssertionError("chromedriver did not start")
