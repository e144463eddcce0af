"""A dashboard in a process of its own, and a reader of it that is no browser."""

import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import forked

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
SAID = re.compile(r"Dashboard of .*: http://(?P<host>\S+):(?P<port>\d+)/\?token=(?P<token>\S+) ")


@dataclass
class Answer:
    """A response; `json` is its content as plain data."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        packed = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.body) if packed else self.body)


@dataclass
class Sent:
    """An event of a stream."""

    name: str
    id: str
    data: dict[str, Any]


@dataclass
class Stream:
    """An event stream that is open."""

    response: HTTPResponse
    connection: HTTPConnection
    comments: int = 0
    seen: list[Sent] = field(default_factory=list)

    def next(self) -> Sent:
        """Wait for the next event."""
        said: dict[str, str] = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError
            name, _, value = line.rstrip("\n").partition(": ")
            if line == "\n" and "event" in said:
                self.seen.append(Sent(said["event"], said["id"], json.loads(said["data"])))
                return self.seen[-1]
            said[name] = value

    def until(self, *names: str) -> Sent:
        """Wait for an event of one of these names."""
        while (found := self.next()).name not in names:
            pass
        return found

    def last(self, before: str | None = None) -> str:
        """Return what the ids of all events seen say together, after those of an earlier stream."""
        stands: dict[str, Any] = json.loads(before or "{}")
        for event in self.seen:
            for name, place in json.loads(event.id).items():
                stands[name] = {**stands.get(name, {}), **place} if isinstance(place, dict) else place
        return json.dumps(stands)

    def rest(self) -> None:
        """Read to the end of the stream."""
        with contextlib.suppress(EOFError):
            while True:
                self.next()

    def close(self) -> None:
        """Leave."""
        self.response.close()
        self.connection.close()


def _interpreter(*words: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-W", "error", *words], text=True, **options)


class Served:
    """`python -m sweeps dashboard` as it runs; its address is known.

    With `opens` it may open a browser; with `fresh` it is an interpreter that has imported nothing.
    """

    def __init__(self, *words: object, **options: Any) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
        opens = [] if options.pop("opens", False) else ["--no-open"]
        command = ("-m", "sweeps", "dashboard", *opens, *map(str, words))
        start = _interpreter if options.pop("fresh", False) else forked.start
        self.process: subprocess.Popen[str] = start(
            *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        found = SAID.match(self.line)
        assert found, self.line + self.process.communicate()[1]
        self.port, self.token = int(found["port"]), found["token"]
        self.cookie = self.ask("/?token=" + self.token, cookie="").headers["set-cookie"].partition(";")[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, path: str, *, method: str = "GET", cookie: str | None = None, **headers: str) -> Answer:
        """Return the answer to a request; `_` in the name of a header stands for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("cookie", self.cookie if cookie is None else cookie)
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.putrequest(method, path, skip_host="host" in given, skip_accept_encoding=True)
            for name, value in given.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(
                answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
            )

    def api(self, path: str, **arguments: Any) -> Any:
        """Return the data of an address below api/, which is there."""
        answer = self.ask(f"/api/{path}?{urlencode(arguments, doseq=True)}")
        assert answer.status == 200, answer.body
        return answer.json

    @contextlib.contextmanager
    def stream(self, watch: dict[str, Any], last: str | None = None) -> Iterator[Stream]:
        """Open an event stream."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        asked = urlencode({"watch": json.dumps(watch), "last": last or ""})
        connection.request("GET", f"/api/events?{asked}", headers={"cookie": self.cookie})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        stream = Stream(response, connection)
        try:
            yield stream
        finally:
            stream.close()

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal; return the exit code and what was printed after the address."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err
