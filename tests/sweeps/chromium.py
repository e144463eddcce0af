"""A real browser for tests of pages: Debian's Chromium, driven by Playwright, without a network."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
WHY_NOT = "needs Chromium and Playwright"
# Under CI an absent browser is a fault, not a reason to skip, unless .ci/run could not install one and says so.
MAY_BE_ABSENT = not os.environ.get("CI") or os.environ.get("PODIUM_BROWSER") == "absent"
IS_ABSENT = (PROGRAM is None or find_spec("playwright") is None) and MAY_BE_ABSENT
needs_browser = pytest.mark.skipif(IS_ABSENT, reason=WHY_NOT)


@contextmanager
def browser() -> Iterator[Any]:
    """Start a browser for the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=PROGRAM, args=OPTIONS.split())
        try:
            yield found
        finally:
            found.close()


class Look:
    """A page of a file that was opened offline: what it says, and what went wrong."""

    def __init__(self, browser: Any, path: Path, *, scripts: bool = True, **context: Any) -> None:
        self.context = browser.new_context(offline=True, java_script_enabled=scripts, **context)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    @property
    def elsewhere(self) -> list[str]:
        """What the page asked for beside itself and what lies in it."""
        return [url for url in self.asked if not url.startswith(("file:", "data:"))]
