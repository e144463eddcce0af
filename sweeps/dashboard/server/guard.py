"""Who may ask the dashboard what: the one check that every request passes.

The server listens on this machine alone, and that is not enough: another user of the machine can connect, and a page of
any site that the browser shows can send requests. So each request needs the token of the dashboard, which comes once with
its address and is a cookie from then on; the name of the host must be known, or a site could point a name of its own at
this machine; and only reading is possible. What the answers may do in the browser is said by their headers.
"""

import hmac
import re
import time
from collections.abc import Collection, Iterable
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE = "/"
# What the page that refuses a browser is made of. It loads itself once more: a browser that follows a link from another
# site leaves the cookie out, and sends it when the page itself asks.
OPEN = frozenset({"/assets/again.js", "/assets/styles.css", "/assets/favicon.svg"})
KEPT_S = 30 * 86400  # by the browser, so that a bookmark of a view stays good
CODE_S = 60.0  # how long the address that opens the browser is good
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
REFUSED = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>podium</title>
<link rel="icon" href="assets/favicon.svg">
<link rel="stylesheet" href="assets/styles.css">
<script src="assets/again.js" defer></script>
</head>
<body>
<main class="state" hidden>
<h2>This browser has no key to the dashboard</h2>
<p>Open the address that <code>podium dashboard</code> printed when it started: it holds the key.</p>
<p>If a link brought you here, press Enter in the address line.</p>
</main>
</body>
</html>
"""


class Guard:
    """An ASGI application that answers what is refused, and passes the rest on to `app`.

    A refusal is 421 for an unknown host, 405 for anything but GET and HEAD, 403 without the token. `port` is part of the
    name of the cookie, because browsers send a cookie to all ports of a host; a digest of the token is too, because
    several machines may be reached through tunnels under one name.
    """

    def __init__(self, app: "ASGIApp", *, token: str, port: int, hosts: Collection[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = frozenset(_host_of(host.encode()) for host in hosts)
        self.cookie = f"podium_{port}_{sha256(self._token).hexdigest()[:8]}"
        self._codes: dict[bytes, float] = {}

    def code(self) -> str:
        """Return a token for the address that opens the browser: good once, for a minute.

        Other users of the machine may see the command line of a browser, and so its address.
        """
        code = token_urlsafe(32)
        self._codes[code.encode()] = time.monotonic() + CODE_S
        return code

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                further = ((name.encode(), value.encode()) for name, value in HEADERS.items())
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in further if pair[0] not in given),
                ]
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, guarded)

    def _refusal(self, scope: "Scope") -> "ASGIApp | None":
        from starlette.responses import HTMLResponse, RedirectResponse

        fresh = {"cache-control": "no-store"}
        path: str = scope["path"]
        hosts = list(_values(scope, b"host"))
        if len(hosts) != 1 or _host_of(hosts[0]) not in self._hosts:
            return _sentence(
                421, "This dashboard does not answer to the name of this host; see --allow-host."
            )
        if scope["method"] not in {"GET", "HEAD"}:
            return _sentence(405, "The dashboard only reads: GET and HEAD.", {"allow": "GET, HEAD"})
        has_cookie = any(self._is_token(value) for value in self._cookies(scope))
        asked = _asked(scope) if path == PAGE else None
        if asked is not None:
            if has_cookie or self._is_token(asked) or self._takes_code(asked):
                # No path: that of the address as the browser knows it holds, below the prefix of a proxy too.
                value = f"{self.cookie}={self._token.decode()}; Max-Age={KEPT_S}; HttpOnly; SameSite=Strict"
                return RedirectResponse("./", 303, {**fresh, "set-cookie": value})
        elif has_cookie or path in OPEN:
            return None
        if path == PAGE:
            return HTMLResponse(REFUSED, 403, fresh)
        return _sentence(403, "This browser has no key to the dashboard; open the address that it printed.")

    def _is_token(self, given: bytes) -> bool:
        return hmac.compare_digest(given, self._token)

    def _takes_code(self, given: bytes) -> bool:
        now = time.monotonic()
        self._codes = {code: until for code, until in self._codes.items() if until > now}
        return self._codes.pop(given, None) is not None

    def _cookies(self, scope: "Scope") -> Iterable[bytes]:
        """Yield the values of our cookie; there may be several, of several paths."""
        name = self.cookie.encode()
        for header in _values(scope, b"cookie"):
            for pair in header.split(b";"):
                key, _, value = pair.strip().partition(b"=")
                if key == name:
                    yield value


def _sentence(status: int, text: str, headers: dict[str, str] | None = None) -> "ASGIApp":
    from starlette.responses import Response

    from tracking.values.jsontext import encode

    further = {"cache-control": "no-store", **(headers or {})}
    return Response(encode({"error": text, "detail": None}), status, further, "application/json")


def _asked(scope: "Scope") -> bytes | None:
    """Return the token in the address, if there is one."""
    query = scope["query_string"].decode("latin-1")  # a character per byte
    found = parse_qs(query, keep_blank_values=True, encoding="latin-1").get("token")
    return found[0].encode("latin-1") if found else None


def _values(scope: "Scope", name: bytes) -> Iterable[bytes]:
    return (value for key, value in scope["headers"] if key == name)


_HOST = re.compile(r"(?P<name>\[[0-9a-f:.%]+\]|[^:\[\]]+?)\.?(:\d*)?")


def _host_of(header: bytes) -> str:
    """Return the host of a Host header, without its port; the empty text for a header that is none."""
    found = _HOST.fullmatch(header.decode("latin-1").lower())
    return found["name"] if found else ""
