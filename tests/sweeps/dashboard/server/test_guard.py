"""Who may ask the dashboard: the host, the method and the token of each request are looked at before anything else."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from served import Served

from sweeps.dashboard.server import guard as guard_module
from sweeps.dashboard.server.assets import FOLDER
from sweeps.dashboard.server.guard import REFUSED, Guard
from tracking import ExperimentTracker

TOKEN = "a-token-of-the-test"
PLACES = ("/", "/api/stores", "/api/0/names", "/api/events", "/assets/main.js", "/nowhere")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("guard")
    with ExperimentTracker(folder / "experiments").start_run("x", params={"a": 1}) as run:
        run.log_artifact(__file__, "test.py")
    with Served(
        *("--port", 0, "--allow-host", "Lab.Example.org:443"),
        cwd=folder,
        env={"PODIUM_DASHBOARD_TOKEN": TOKEN},
    ) as served:
        yield served


def test_the_token_comes_once_with_the_address_and_is_a_cookie_from_then_on(served: Served) -> None:
    answer = served.ask(f"/?token={TOKEN}", cookie="")
    assert answer.status == 303
    assert answer.headers["location"] == "./"  # below the prefix of a proxy too
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert cookie.startswith(f"podium_{served.port}_")
    assert sorted(attributes) == [
        "HttpOnly",
        "Max-Age=2592000",
        "SameSite=Strict",
    ]  # no path: that of the address
    assert served.ask("/", cookie=cookie).status == 200


@pytest.mark.parametrize("path", PLACES)
def test_nothing_is_given_without_the_token(served: Served, path: str) -> None:
    others = f"podium_{served.port + 1}_{served.cookie.rpartition('_')[2]}"  # of a dashboard on another port
    for cookie in ("", "podium=", f"{served.cookie}x", served.cookie[:-1], others, f"token={TOKEN}"):
        answer = served.ask(path, cookie=cookie)
        assert answer.status == 403, cookie
        assert TOKEN.encode() not in answer.body
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "asked", ["/?token=", "/?token=x", f"/?token={TOKEN}x", "/?token=%ff", "/?token=é%00"]
)
def test_a_wrong_token_is_refused(served: Served, asked: str) -> None:
    answer = served.ask(asked.replace("é", "%C3%A9"), cookie="")
    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_the_token_is_taken_at_the_page_alone(served: Served) -> None:
    assert served.ask(f"/api/stores?token={TOKEN}", cookie="").status == 403


def test_a_browser_that_has_the_cookie_loses_the_token_from_its_address(served: Served) -> None:
    assert served.ask("/?token=of-yesterday").status == 303


def test_the_page_that_refuses_a_browser_is_whole_and_no_more_is_given(served: Served) -> None:
    body = served.ask("/", cookie="").body.decode()
    parts = re.findall(r'(?:src|href)="([^"]+)"', body)
    assert parts
    for part in parts:
        assert served.ask(f"/{part}", cookie="").status == 200
    assert served.ask("/assets/index.html", cookie="").status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "lab.example.org.evil", "", "[::2]"]
)
def test_a_host_that_is_not_known_is_refused_with_the_token_too(served: Served, host: str) -> None:
    for path in PLACES:
        assert served.ask(path, host=f"{host}:80").status == 421
    assert served.ask(f"/?token={TOKEN}", host=host or "a").status == 421


@pytest.mark.parametrize(
    "host", ["127.0.0.1:80.evil", "127.0.0.1:evil", "localhost:80:80", "[::1]evil", "127.0.0.1..", ":80"]
)
def test_what_only_begins_as_a_known_host_is_refused(served: Served, host: str) -> None:
    assert served.ask(f"/?token={TOKEN}", host=host).status == 421


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:9999", "LOCALHOST.", "[::1]:1", "lab.example.org", "LAB.example.org:443"]
)
def test_this_machine_and_the_names_that_are_allowed_are_answered(served: Served, host: str) -> None:
    assert served.ask("/api/stores", host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_only_reading_is_possible(served: Served, method: str) -> None:
    for path in PLACES:
        answer = served.ask(path, method=method)
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD"


def test_a_head_has_the_headers_of_the_answer_alone(served: Served) -> None:
    for path in ("/", "/api/stores", "/api/events", "/api/0/run/run_001/file/artifacts/test.py"):
        answer = served.ask(path, method="HEAD")
        assert (answer.status, answer.body) == (200, b""), path


@pytest.mark.parametrize(
    "path", [*PLACES, "/api/0/runs?filter=(", "/api/0/run/run_001/file/artifacts/test.py"]
)
@pytest.mark.parametrize("cookie", [None, ""])
def test_every_answer_says_what_it_may_do_in_a_browser(served: Served, path: str, cookie: str | None) -> None:
    headers = served.ask(path, cookie=cookie, method="HEAD").headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] in {"no-store", "no-cache"}
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "../server/guard.py", "..%2fserver%2fguard.py", "%2e%2e/server/guard.py", "vendor/../../server/guard.py",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2fpyproject.toml", "/etc/passwd", "%2fetc%2fpasswd", "..\\server\\guard.py",
        "vendor", "vendor/", "", ".", "__init__.py", "%00", "index.html%00.js",
    ],
)  # fmt: skip
def test_no_file_beside_those_of_the_pages_is_given(served: Served, path: str) -> None:
    answer = served.ask(f"/assets/{path}")
    assert answer.status == 404
    assert answer.json["error"]


def called(guard: Guard, path: str, query: str = "", **headers: str) -> tuple[int, dict[bytes, bytes]]:
    """What a guard answers, without a server."""
    sent: list[Any] = []

    async def call() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        given = [(name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()]
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": given,
        }
        await guard(scope, None, send)  # type: ignore[arg-type]  # it reads no body

    asyncio.run(call())
    return sent[0]["status"], dict(sent[0]["headers"])


async def passed(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_the_address_that_opens_the_browser_is_good_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other users of the machine see the arguments of a browser."""
    guard = Guard(passed, token=TOKEN, port=1, hosts={"localhost"})
    code, late = guard.code(), guard.code()
    assert TOKEN not in code
    assert called(guard, "/api/stores", f"token={code}")[0] == 403
    status, headers = called(guard, "/", f"token={code}")
    assert status == 303
    assert TOKEN in headers[b"set-cookie"].decode()
    assert called(guard, "/", f"token={code}")[0] == 403
    now = guard_module.time.monotonic()
    monkeypatch.setattr(guard_module.time, "monotonic", lambda: now + guard_module.CODE_S + 1)
    assert called(guard, "/", f"token={late}")[0] == 403


def test_two_cookies_of_the_name_are_both_looked_at() -> None:
    guard = Guard(passed, token=TOKEN, port=1, hosts={"localhost"})
    mine = f"{guard.cookie}={TOKEN}"
    for cookie in (f"{guard.cookie}=old; {mine}", f"{mine}; {guard.cookie}=old", f"a=b;{mine}"):
        assert called(guard, "/", cookie=cookie)[0] == 200


def test_below_the_path_of_a_proxy_the_cookie_is_of_that_path() -> None:
    """The proxy takes its path off, so the server does not know it; no address of ours begins with a slash."""
    guard = Guard(passed, token=TOKEN, port=1, hosts={"localhost"})
    _, headers = called(guard, "/", f"token={TOKEN}")
    assert headers[b"location"] == b"./"
    assert b"path" not in headers[b"set-cookie"].lower()
    for page in FOLDER.glob("*.html"):
        assert not re.findall(r'(?:src|href)="/', page.read_text())
    assert not re.findall(r'(?:src|href)="/', REFUSED)
