"""Servers on loopback that take alerts: HTTP and SMTP, each as good or as bad as a test wants it."""

import base64
import json
import socketserver
import ssl
import threading
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hooks:
    """An HTTP server that keeps what is posted to it; `status` is its answer, `holds` keeps it from answering."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.status = 200
        self.came = threading.Event()
        self.holds = threading.Event()
        self.holds.set()
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hooks.requests.append((self.path, dict(self.headers)))
                hooks.posts.append(json.loads(body))
                hooks.came.set()
                hooks.holds.wait(60)
                self.send_response(hooks.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                hooks.requests.append((f"GET {self.path}", {}))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def events(self) -> list[str]:
        return [post["event"] for post in self.posts]

    def close(self) -> None:
        self.holds.set()
        self._server.shutdown()
        self._server.server_close()


class Post:
    """An SMTP server with a login; `answers` replaces what it says to a command, `hangs_at` is one it never answers."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, is_tls: bool = False) -> None:
        self.mails: list[Message] = []
        self.recipients: list[list[str]] = []
        self.logins: list[str] = []
        self.said: list[str] = []
        self.answers: dict[str, str] = {}
        self.hangs_at: str | None = None
        self.goes_on = threading.Event()
        post = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 here")
                recipients: list[str] = []
                while line := self.rfile.readline().decode(errors="replace").strip():
                    word = line.split()[0].upper()
                    post.said.append(word)
                    if word == post.hangs_at:
                        post.goes_on.wait(60)
                        return
                    if word == "RCPT":
                        recipients.append(line.partition("<")[2].rstrip(">"))
                    if word == "AUTH":
                        post.logins.append(base64.b64decode(line.split()[2]).decode())
                    extra = "250-STARTTLS\r\n" if tls and not is_tls else ""
                    usual = {
                        "EHLO": f"250-here\r\n{extra}250 AUTH PLAIN",
                        "AUTH": "235 in",
                        "DATA": "354 go",
                        "QUIT": "221 bye",
                        "STARTTLS": "220 go",
                    }
                    self.say(post.answers.get(word, usual.get(word, "250 fine")))
                    if word == "STARTTLS" and tls:
                        self.request = tls.wrap_socket(self.request, server_side=True)
                        self.setup()
                    if word == "DATA" and "DATA" not in post.answers:
                        text = b""
                        while (part := self.rfile.readline()) != b".\r\n":
                            text += part
                        post.recipients.append(recipients)
                        post.mails.append(message_from_bytes(text, policy=default))
                        self.say("250 taken")
                    if word == "QUIT":
                        return

            def finish(self) -> None:
                super().finish()
                self.request.close()  # the server knows the one before TLS alone

            def say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True

            def get_request(self) -> Any:
                request, address = super().get_request()
                return tls.wrap_socket(request, server_side=True) if tls and is_tls else request, address

            def handle_error(self, *_: Any) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def address(self, user: str = "", options: str = "") -> str:
        return f"smtp://{user}127.0.0.1:{self.port}/?from=me@here.org&to=you@here.org{options}"

    def close(self) -> None:
        self.goes_on.set()
        self._server.shutdown()
        self._server.server_close()
