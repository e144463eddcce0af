"""Send one alert: to a command, to a URL, by mail, by Apprise. Each raises `NotSentError` with a reason for one line.

A reason holds no part of an address. What a server answers is not shown either, because it may repeat one.
"""

import contextlib
import functools
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tracking.extras import require
from tracking.notify.alerts import Alert
from tracking.values.jsontext import encode
from tracking.version import __version__

Place = TypeVar("Place")
VARIABLE = "PODIUM_ALERT"  # holds the JSON for a command
LOOK_EVERY_S = 0.02  # whether a command has ended


class NotSentError(Exception):
    """An alert was not sent; the text says why, without secrets."""


@dataclass(frozen=True)
class Limit:
    """The seconds that sending may take; it ends earlier when `given_up` is set."""

    seconds: float
    given_up: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class MailServer:
    """A mail server, how to log in, and whom to write to."""

    host: str
    port: int
    user: str | None
    password: str = field(repr=False)
    is_tls: bool
    starttls: str
    sender: str
    to: tuple[str, ...]


def run_command(line: str, alert: Alert, limit: Limit) -> None:
    """Run a line by the shell with the text on stdin; kill its process group at the limit."""
    environment = {**os.environ, VARIABLE: encode(alert.as_plain()).decode()}
    with _reasons(), tempfile.TemporaryFile() as text:  # a pipe would wait for a command that reads nothing
        text.write(f"{alert.text}\n".encode(errors="replace"))  # a blank line, for files that keep many
        text.seek(0)
        process = subprocess.Popen(  # noqa: S602 - the user's own command
            line,
            shell=True,
            stdin=text,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # the Ctrl-C of a terminal is not for it
        )
    steps = max(1, round(limit.seconds / LOOK_EVERY_S))
    for _ in range(steps):
        with contextlib.suppress(subprocess.TimeoutExpired):
            if code := process.wait(LOOK_EVERY_S):
                how = f"ended with exit code {code}" if code > 0 else f"was killed by {_signal_name(-code)}"
                raise NotSentError(f"the command {how}")
            return
        if limit.given_up.is_set():
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    raise NotSentError("the command did not end in time and was killed")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _within_limit(send: Callable[[Place, Alert, Limit], None]) -> Callable[[Place, Alert, Limit], None]:
    """Make a sender raise `NotSentError` at the limit; a server that answers byte by byte meets no timeout of a socket."""

    @functools.wraps(send)
    def limited(place: Place, alert: Alert, limit: Limit) -> None:
        faults: list[NotSentError] = []
        sent, ended = threading.Event(), threading.Event()

        def work() -> None:
            try:
                send(place, alert, limit)
                sent.set()
            except NotSentError as error:
                faults.append(error)
            finally:
                ended.set()

        threading.Thread(target=work, name="podium-alert", daemon=True).start()
        if not ended.wait(limit.seconds):
            raise NotSentError("no answer in time")
        if not sent.is_set():
            raise faults[0] if faults else NotSentError("sending it failed")

    return limited


@_within_limit
def post(url: str, alert: Alert, limit: Limit) -> None:
    """Post the JSON of an alert to a URL; any answer but a 2xx is a failure, also a redirection, which loses a POST."""
    import base64
    import http.client
    import urllib.error
    import urllib.request
    from urllib.parse import unquote, urlsplit

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        parts._replace(netloc=place, fragment="").geturl(),
        encode(alert.as_plain()),
        {"Content-Type": "application/json", "User-Agent": f"podium/{__version__}"},
        method="POST",
    )
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    with _reasons():
        try:
            with urllib.request.build_opener(Stay).open(request, timeout=limit.seconds):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            phrase = http.client.responses.get(error.code, "")
            raise NotSentError(f"the server answered {error.code} {phrase}".rstrip()) from None
        except http.client.RemoteDisconnected:
            raise NotSentError("the server closed the connection without an answer") from None
        except http.client.HTTPException:
            raise NotSentError("the server's answer is not HTTP") from None


@_within_limit
def mail(server: MailServer, alert: Alert, limit: Limit) -> None:
    """Send an alert as a mail; a password goes over TLS alone, except to this machine or with ``starttls=never``."""
    import smtplib
    import socket
    import ssl
    from email.message import EmailMessage
    from email.utils import formatdate, make_msgid

    here = socket.gethostname()  # without a look-up of its full name, which may take many seconds
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = alert.title, server.sender, ", ".join(server.to)
    message["Date"], message["Message-ID"] = formatdate(localtime=True), make_msgid(domain=here)
    message["Auto-Submitted"] = "auto-generated"  # no absence is answered
    message.set_content(alert.text)
    options: dict[str, Any] = {"local_hostname": here, "timeout": limit.seconds}
    with _reasons():
        try:
            kind: type[smtplib.SMTP] = smtplib.SMTP
            if server.is_tls:
                kind, options["context"] = smtplib.SMTP_SSL, ssl.create_default_context()
            with contextlib.closing(kind(server.host, server.port, **options)) as session:
                session.ehlo()
                is_safe = server.is_tls or server.starttls == "never" or _is_here(server.host)
                if not server.is_tls and server.starttls != "never":
                    if session.has_extn("starttls"):
                        session.starttls(context=ssl.create_default_context())
                        session.ehlo()
                        is_safe = True
                    elif server.starttls == "always":
                        raise NotSentError("the server has no STARTTLS")
                if server.user is not None:
                    if not is_safe:
                        raise NotSentError(
                            "the server has no STARTTLS, so the password was not sent; use smtps://, or starttls=never"
                        )
                    session.login(server.user, server.password)
                refused = session.send_message(message, server.sender, list(server.to))
                with contextlib.suppress(smtplib.SMTPException, OSError):  # the mail is out
                    session.quit()
        except smtplib.SMTPResponseException as error:
            raise NotSentError(f"the server answered {error.smtp_code} ({type(error).__name__})") from None
        except smtplib.SMTPServerDisconnected:  # which also stands for a time-out
            raise NotSentError("the server closed the connection or did not answer in time") from None
        except smtplib.SMTPException as error:
            raise NotSentError(f"the server did not take it ({type(error).__name__})") from None
    if refused:
        raise NotSentError(f"the server refused {len(refused)} of {len(server.to)} recipients")


def _is_here(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def is_known_to_apprise(address: str) -> bool:
    """Return whether Apprise can send to an address."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports modules that Python is about to drop
        with _quiet_apprise() as apprise:
            return bool(apprise.Apprise().add(address))


@_within_limit
def by_apprise(address: str, alert: Alert, limit: Limit) -> None:
    """Send an alert by Apprise."""
    del limit  # kept around this function
    with _quiet_apprise() as apprise:
        kinds = {"promoted": apprise.NotifyType.SUCCESS, "failed": apprise.NotifyType.FAILURE}
        service = apprise.Apprise()
        service.add(address)
        body = alert.text.removeprefix(alert.title).strip()
        kind = kinds.get(alert.event, apprise.NotifyType.INFO)
        if not service.notify(body=body or alert.title, title=alert.title, notify_type=kind):
            raise NotSentError("Apprise could not send it")


@contextlib.contextmanager
def _quiet_apprise() -> Iterator[Any]:
    """Import Apprise and keep its log to itself: it repeats addresses."""
    import logging

    require("notify")
    import apprise

    log = logging.getLogger("apprise")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    yield apprise


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Raise `NotSentError` for what the system or a library says, in words that hold no address."""
    try:
        yield
    except TimeoutError:
        raise NotSentError("no answer in time") from None
    except OSError as error:
        reason = getattr(error, "reason", None)  # of a URLError the cause, of an SSLError a text
        cause = reason if isinstance(reason, OSError) else error
        if isinstance(cause, TimeoutError):
            raise NotSentError("no answer in time") from None
        known = getattr(cause, "verify_message", None) or cause.strerror
        raise NotSentError(str(known or type(cause).__name__)) from None
    except ValueError as error:  # such as a name that no header may hold
        raise NotSentError(f"it cannot be written ({type(error).__name__})") from None
