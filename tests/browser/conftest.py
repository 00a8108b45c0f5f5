"""A real browser, and pages that are watched while a test looks at them.

``OPTBENCH_BROWSER`` names the browser, a Chromium; else one is looked for. Where there is none
tests are skipped, or fail with ``OPTBENCH_REQUIRE_BROWSER=1``.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import pytest

from tests import strict

if TYPE_CHECKING:  # playwright may not be there
    from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request

_NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
    "microsoft-edge",
)  # fmt: skip


class Open(Protocol):
    """Opens a page from disk, in a fresh context with the given options."""

    def __call__(self, path: Path, fragment: str = "", **options: Any) -> "Page": ...


def pytest_configure(config: pytest.Config) -> None:
    strict.configure(config)


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("OPTBENCH_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium."""
    from playwright.sync_api import Error, sync_playwright

    named = os.environ.get("OPTBENCH_BROWSER")
    found = named or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        _unavailable("no Chromium here; OPTBENCH_BROWSER may name one")
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=found)
        except Error as error:
            if named:
                raise
            _unavailable(f"{found} does not start: {error.message.splitlines()[0]}")
        yield launched
        launched.close()


class _Watch:
    """What pages did that they should not."""

    def __init__(self) -> None:
        self.complaints: list[str] = []

    def over(self, page: "Page", url: str) -> None:
        def asked(request: "Request") -> None:
            if request.url.partition("#")[0] != url and not request.url.startswith("data:"):
                self.complaints.append(f"request: {request.url}")

        def said(box: "Dialog") -> None:
            self.complaints.append(f"box: {box.message}")
            box.dismiss()

        page.on("console", lambda line: self.complaints.append(f"console: {line.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error.message}"))
        page.on("dialog", said)
        page.on("request", asked)


@pytest.fixture
def open_page(browser: "Browser") -> Iterator[Open]:
    """Opens pages from disk.

    At the end of the test none may have complained, asked for anything but itself, or opened a
    message box.
    """
    contexts: list[BrowserContext] = []
    watch = _Watch()

    def opened(path: Path, fragment: str = "", **options: Any) -> "Page":
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        url = path.resolve().as_uri()
        watch.over(page, url)
        page.goto(url + fragment)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert watch.complaints == []
