"""A page in a browser, with all that goes wrong in it: errors of scripts, refused or foreign requests, what is too wide."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request
from served import Served

PATIENCE_MS = 60_000
DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 375, "height": 800}


class Visit:
    """A page that is open; what goes wrong is in `faults`."""

    def __init__(self, page: Page, served: Served | None = None) -> None:
        self.page = page
        self.base = "" if served is None else f"http://127.0.0.1:{served.port}/"
        self.key = "" if served is None else f"?token={served.token}"
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._allowed: list[re.Pattern[str]] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.fault(f"error: {error}"))
        page.on("request", self._asked)
        page.on("dialog", lambda dialog: (self.fault(f"dialog: {dialog.message}"), dialog.dismiss()))

    def allow(self, pattern: str) -> None:
        """Expect messages of the console that match a pattern: Chromium reports each answer that is an error."""
        self._allowed.append(re.compile(pattern))

    def fault(self, words: str) -> None:
        if not any(pattern.search(words) for pattern in self._allowed):
            self.faults.append(words)

    def open(self, address: str, ready: str | None = None) -> "Visit":
        """Open a view of the dashboard by its address without the `#/`; wait until it is drawn."""
        self.page.goto(f"{self.base}{self.key}#/{address}")
        self.key = ""  # the cookie is there now
        return self.wait(ready or re.split(r"[/?]", address)[0])

    def wait(self, ready: str) -> "Visit":
        """Wait until a view is drawn."""
        self.find(f"html[data-ready={ready}]").wait_for(state="attached")
        return self

    def find(self, selector: str, **options: Any) -> Locator:
        return self.page.locator(selector, **options)

    @property
    def address(self) -> str:
        """Return what follows the `#/` of the present address."""
        return urlsplit(self.page.url).fragment.removeprefix("/")

    def too_wide(self) -> list[str]:
        """Return what makes the page scroll sideways."""
        return self.page.evaluate(
            """() => {
              const root = document.documentElement;
              const width = root.clientWidth;
              if (root.scrollWidth <= width) return [];
              const wide = [...document.body.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > width + 1);
              return [`${root.scrollWidth} px in ${width}`, ...wide.slice(0, 5).map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`)];
            }"""
        )

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.fault(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith(("data:", "blob:", self.base or "file:")):
            self.fault(f"a request to {request.url}")


@contextmanager
def visiting(browser: Browser, served: Served | None = None, **options: Any) -> Iterator[Visit]:
    """Open an empty page in a browser of its own; at the end nothing must have gone wrong."""
    context = browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
    try:
        visit = Visit(context.new_page(), served)
        yield visit
        assert not visit.faults, visit.faults
    finally:
        context.close()
