"""Each sender against a real receiver: what arrives, and what is said when it does not."""

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from receivers import Hooks, Post

from tracking.notify import Alert, AlertEvent, parse_addresses
from tracking.notify.senders import Limit, NotSentError

ALERT = Alert.of(AlertEvent.BEST, subject="sweep s1 é", metric="val_auc", value=0.79, run="run_001")


def send(address: str, seconds: float = 10.0, alert: Alert = ALERT) -> None:
    parse_addresses([address], "notify.to")[0].send(alert, Limit(seconds))


def fault(address: str, seconds: float = 10.0) -> str:
    with pytest.raises(NotSentError) as failed:
        send(address, seconds)
    assert "S3CRET" not in str(failed.value)
    return str(failed.value)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_url_gets_the_json(hooks: Hooks) -> None:
    send(f"{hooks.url}/services/T0/S3CRET?x=1#part")
    assert hooks.posts == [ALERT.as_plain()]
    ((path, headers),) = hooks.requests
    assert path == "/services/T0/S3CRET?x=1"
    assert headers["Content-Type"] == "application/json"
    assert "Authorization" not in headers


def test_a_user_and_a_password_of_a_url_become_a_login(hooks: Hooks) -> None:
    send(f"http://me:p%40ss@127.0.0.1:{hooks.port}/")
    assert hooks.requests[0][1]["Authorization"] == "Basic bWU6cEBzcw=="


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "the server answered 404 Not Found"),
        (500, "500 Internal"),
        (302, "302 Found"),
        (303, "303 See Other"),
    ],
)
def test_any_answer_but_success_is_a_failure(hooks: Hooks, status: int, said: str) -> None:
    hooks.status = status
    assert said in fault(f"{hooks.url}/S3CRET")
    assert len(hooks.requests) == 1  # no redirection is followed


def test_a_server_that_does_not_answer_costs_no_more_than_the_limit(hooks: Hooks) -> None:
    hooks.holds.clear()
    assert fault(f"{hooks.url}/S3CRET", 0.1) == "no answer in time"


@pytest.mark.parametrize("scheme", ["http", "smtp"])
def test_a_server_that_answers_byte_by_byte_costs_no_more_than_the_limit(scheme: str) -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle() -> None:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                while not ended.wait(0.01):
                    client.sendall(b"H")

        thread = threading.Thread(target=trickle)
        thread.start()
        mails = "?from=a@x.org&to=b@x.org"
        assert fault(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/{mails}", 0.2) == "no answer in time"
        ended.set()
        thread.join()


def test_a_server_that_closes_the_connection_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close() -> None:
            client, _ = server.accept()
            client.recv(65536)
            client.close()

        thread = threading.Thread(target=close)
        thread.start()
        said = fault(f"http://127.0.0.1:{server.getsockname()[1]}/S3CRET")
        thread.join()
    assert said in ("the server closed the connection without an answer", "Connection reset by peer")


def test_a_port_where_nobody_listens_is_said(post: Post) -> None:
    assert fault(f"http://127.0.0.1:{free_port()}/S3CRET") == "Connection refused"
    assert fault(f"smtp://127.0.0.1:{free_port()}/?from=a@x.org&to=b@x.org") == "Connection refused"
    assert "not HTTP" in fault(f"http://127.0.0.1:{post.port}/S3CRET")


def test_a_mail_arrives_with_the_title_as_its_subject(post: Post) -> None:
    send(post.address("me%40here.org:p%40ss@", ",her@here.org"))
    (mail,) = post.mails
    assert mail["Subject"] == "New best of sweep s1 é: val_auc 0.79"
    assert (mail["From"], mail["To"]) == ("me@here.org", "you@here.org, her@here.org")
    assert mail["Date"]
    assert mail["Message-ID"]
    body: Any = mail
    assert body.get_content().replace("\r\n", "\n") == ALERT.text
    assert post.recipients == [["you@here.org", "her@here.org"]]
    assert post.logins == ["\0me@here.org\0p@ss"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"AUTH": "535 no S3CRET"}, "the server answered 535 (SMTPAuthenticationError)"),
        ({"RCPT": "550 no such user"}, "the server did not take it (SMTPRecipientsRefused)"),
        ({"DATA": "451 later"}, "the server answered 451 (SMTPDataError)"),
        ({"EHLO": "250 nothing"}, "the server did not take it (SMTPNotSupportedError)"),
    ],
)
def test_a_mail_server_that_refuses_is_said(post: Post, answers: dict[str, str], said: str) -> None:
    post.answers = answers
    assert fault(post.address("me:S3CRET@")) == said


def test_a_mail_server_that_hangs_costs_no_more_than_the_limit(post: Post) -> None:
    post.hangs_at = "MAIL"
    assert fault(post.address(), 0.1) == "no answer in time"


def test_starttls_can_be_demanded(post: Post) -> None:
    assert fault(post.address("me:S3CRET@", "&starttls=always")) == "the server has no STARTTLS"
    assert "AUTH" not in post.said


def test_no_password_leaves_the_machine_in_the_clear(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracking.notify.senders._is_here", lambda _host: False)
    assert "the password was not sent; use smtps://" in fault(post.address("me:S3CRET@"))
    assert "AUTH" not in post.said
    send(post.address("me:S3CRET@", "&starttls=never"))
    assert len(post.mails) == 1


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A certificate for 127.0.0.1, and its file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -subj /CN=test"
    subprocess.run(
        [*make.split(), "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context, folder / "cert"


@pytest.mark.parametrize(("scheme", "is_tls"), [("smtp", False), ("smtps", True)])
def test_a_mail_goes_over_tls_to_a_server_whose_certificate_is_trusted(
    tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch, scheme: str, is_tls: bool
) -> None:
    post = Post(tls[0], is_tls=is_tls)
    address = post.address("me:S3CRET@").replace("smtp", scheme, 1)
    assert "self-signed certificate" in fault(address)
    assert "AUTH" not in post.said
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
    monkeypatch.setattr("tracking.notify.senders._is_here", lambda _host: False)
    send(address)
    assert ("STARTTLS" in post.said, len(post.mails)) == (not is_tls, 1)
    assert post.logins == ["\0me\0S3CRET"]
    post.close()


def test_a_server_without_tls_is_said_where_tls_is_asked_for(post: Post, hooks: Hooks) -> None:
    assert "SSL" in fault(f"https://127.0.0.1:{hooks.port}/S3CRET", 1.0)
    assert fault(f"smtps://127.0.0.1:{post.port}/?from=a@x.org&to=b@x.org", 1.0)


def test_a_command_gets_the_text_on_stdin_and_the_json_in_a_variable(tmp_path: Path) -> None:
    script = tmp_path / "take.sh"
    script.write_text(f"#!/bin/sh\ncat > {tmp_path}/text\nprintenv PODIUM_ALERT > {tmp_path}/json\n")
    script.chmod(0o755)
    send(f"command:{script} | cat")
    assert (tmp_path / "text").read_text() == f"{ALERT.text}\n"  # a blank line between the alerts of a file
    assert json.loads((tmp_path / "json").read_text()) == ALERT.as_plain()


def test_a_command_may_ignore_its_input_and_leave_a_process_behind() -> None:
    big = Alert.of(AlertEvent.FAILED, subject="s", error=["y" * 1900] * 40)
    send("command:sleep 0.2 & true", alert=big)


def test_a_command_that_fails_is_said() -> None:
    assert fault("command:echo S3CRET >&2; exit 3") == "the command ended with exit code 3"


def test_a_command_that_a_signal_ends_is_said() -> None:
    assert fault("command:kill -9 $$ # S3CRET") == "the command was killed by SIGKILL"


def test_a_command_that_hangs_is_killed_at_the_limit() -> None:
    assert fault("command:sleep 600", 0.1) == "the command did not end in time and was killed"


def test_a_command_is_killed_with_what_it_started_when_the_sweep_ends(tmp_path: Path) -> None:
    limit, pid = Limit(600.0), tmp_path / "pid"
    (address,) = parse_addresses(
        [f"command:sleep 600 & echo $! > {pid}.new; mv {pid}.new {pid}; wait"], "notify.to"
    )

    def give_up() -> None:
        await_true(pid.exists)
        limit.given_up.set()

    threading.Thread(target=give_up).start()
    with pytest.raises(NotSentError, match="was killed"):
        address.send(ALERT, limit)
    await_true(lambda: not is_running(int(pid.read_text())))


def await_true(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not question():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_apprise_sends_to_its_own_kinds_of_addresses(hooks: Hooks) -> None:
    pytest.importorskip("apprise")
    send(f"json://127.0.0.1:{hooks.port}/S3CRET")
    ((path, _),) = hooks.requests
    assert path == "/S3CRET"
    (taken,) = hooks.posts
    assert taken["title"] == ALERT.title
    assert taken["message"] == "Run: run_001"
    hooks.status = 500
    assert fault(f"json://127.0.0.1:{hooks.port}/S3CRET") == "Apprise could not send it"
