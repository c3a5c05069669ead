"""A headless Chromium, and a server that speaks Jenkins' content policy, on loopback only."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from webdriver import browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from webdriver import Browser

#: As Jenkins sends it (DirectoryBrowserSupport): a sandbox, too, which runs no script at all.
JENKINS_POLICY = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';"


class _Handler(http.server.SimpleHTTPRequestHandler):
    policy: str = ""

    def end_headers(self) -> None:
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _UnderPolicy(_Handler):
    policy = JENKINS_POLICY


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[bool], str]]:
    """Serves tmp_path; called with True, under Jenkins' policy. Gives the address."""
    servers = []

    def start(under_policy: bool) -> str:
        handler = functools.partial(
            _UnderPolicy if under_policy else _Handler, directory=str(tmp_path)
        )
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs Chromium headless with the arguments given, and gives what it printed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium: apt-get install chromium")

    def run(*arguments: str) -> str:
        ran = subprocess.run(
            [
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--virtual-time-budget=5000",
                f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
                *arguments,
            ],
            capture_output=True,
            timeout=120,
            check=True,
        )
        return ran.stdout.decode("utf-8", "replace")

    return run


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that is driven; one for all tests of a file."""
    driver = shutil.which("chromedriver")
    if driver is None:
        pytest.skip("no chromedriver: apt-get install chromium-driver")
    with browser(driver, str(tmp_path_factory.mktemp("chrome"))) as made:
        yield made


@pytest.fixture
def printed(chromium: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Prints a page to PDF and gives the words on the paper, blanks squeezed."""
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: apt-get install poppler-utils")

    def run(address: str) -> str:
        paper = tmp_path / "printed.pdf"
        chromium(
            "--no-pdf-header-footer",
            f"--print-to-pdf={paper}",
            address,
        )
        ran = subprocess.run(
            ["pdftotext", "-raw", str(paper), "-"], capture_output=True, text=True, check=True
        )
        return "".join(ran.stdout.split())

    return run
