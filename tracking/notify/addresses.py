"""The addresses of alerts: parsed and checked before any work starts, shown without their secrets.

    command:TEXT                             run by the shell; the text on stdin, the JSON in PODIUM_ALERT
    http(s)://...                            a POST of the JSON
    smtp(s)://user:password@host:port/?...   a mail; from=..&to=.., starttls=auto, always or never
    anything else                            an address of Apprise: slack://, discord://, mailto://, ...

An address may hold a secret anywhere: in a path (a webhook), in the host (some of Apprise's), in a command.
So no part of one that is not known to be harmless is shown or logged.
"""

import os
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from tracking.errors import InvalidValueError
from tracking.extras import missing
from tracking.notify import senders
from tracking.notify.alerts import Alert
from tracking.values.secrets import MASK

ALLOWED = (
    "allowed are command:..., http(s)://..., smtp(s)://user:password@host:port/?from=..&to=.., and with "
    "podium[notify] the addresses of Apprise, such as slack://..."
)
STARTTLS = ("auto", "always", "never")
OWN_KEYS = ("from", "to", "starttls")  # of smtp
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_MAILBOX = re.compile(r"[^@\s]+@[^@\s]+")
_NAME = re.compile(r"[\w./~+-]+")


@dataclass(frozen=True)
class Address(ABC):
    """Where alerts go. `shown` has no secrets, the `text` may have some."""

    text: str = field(repr=False)

    @property
    @abstractmethod
    def shown(self) -> str:
        """The address with its secrets masked."""

    @abstractmethod
    def send(self, alert: Alert, limit: senders.Limit) -> None:
        """Send an alert; raise `NotSentError` with a reason that holds no secret. Does not last much longer than the limit."""

    @abstractmethod
    def check(self) -> None:
        """Raise `InvalidValueError` with what is wrong and allowed if this address cannot work."""


class Command(Address):
    """A line for the shell."""

    @property
    def shown(self) -> str:
        """The program; its arguments may be secret."""
        program, space, _ = self._line.partition(" ")
        return f"command:{program if _NAME.fullmatch(program) else MASK}{f' {MASK}' if space else ''}"

    @property
    def _line(self) -> str:
        return self.text.partition(":")[2].strip()

    def check(self) -> None:
        """See `Address`; a program that the shell does not find is refused."""
        if not self._line:
            raise InvalidValueError("names no command; write command:PROGRAM ARGUMENTS")
        program = self._line.split()[0]
        if _NAME.fullmatch(program):
            asked = ["/bin/sh", "-c", 'command -v "$1"', "sh", program]
            search = {"PATH": os.environ.get("PATH", os.defpath)}
            if subprocess.run(asked, capture_output=True, check=False, env=search).returncode:  # noqa: S603 - a fixed command
                raise InvalidValueError(f"there is no program {program}; give one on the PATH, or its path")

    def send(self, alert: Alert, limit: senders.Limit) -> None:
        """See `Address`."""
        senders.run_command(self._line, alert, limit)


class Web(Address):
    """A URL that takes a POST of JSON."""

    @property
    def shown(self) -> str:
        """The host; a path may be a token."""
        url = urlsplit(self.text)
        rest = MASK if url.query or url.path.strip("/") or url.fragment else ""
        return f"{url.scheme}://{_place(url)}/{rest}"

    def check(self) -> None:
        """See `Address`."""
        _require_host(self.text)

    def send(self, alert: Alert, limit: senders.Limit) -> None:
        """See `Address`."""
        senders.post(self.text, alert, limit)


class Mail(Address):
    """A mail server, and whom it sends mail to."""

    @property
    def shown(self) -> str:
        """The server."""
        url = urlsplit(self.text)
        return f"{url.scheme}://{f'{MASK}@' if url.username else ''}{_place(url)}/{f'?{MASK}' if url.query else ''}"

    def check(self) -> None:
        """See `Address`."""
        url = _require_host(self.text)
        query = parse_qs(url.query, keep_blank_values=True)
        if unknown := sorted(query.keys() - {*OWN_KEYS}):
            raise InvalidValueError(
                f"has an unknown parameter {unknown[0]}=; allowed are {', '.join(OWN_KEYS)}"
            )
        mail = self._mail(url)
        for name, wanted in (("from", (mail.sender,)), ("to", mail.to)):
            if not wanted or not all(_MAILBOX.fullmatch(parseaddr(each)[1]) for each in wanted):
                raise InvalidValueError(
                    f"names no mail address in {name}=; write {url.scheme}://host/?from=me@x.org&to=you@x.org"
                )
        if mail.starttls not in STARTTLS:
            raise InvalidValueError(f"starttls={mail.starttls}: allowed are {', '.join(STARTTLS)}")

    @staticmethod
    def _mail(url: SplitResult) -> senders.MailServer:
        query = parse_qs(url.query.replace("+", "%2B"))  # me+alerts@x.org: a plus is no space here
        user = unquote(url.username) if url.username else None
        is_tls = url.scheme.lower() == "smtps"
        return senders.MailServer(
            host=url.hostname or "",
            port=url.port or (465 if is_tls else 587 if user else 25),
            user=user,
            password=unquote(url.password or ""),
            is_tls=is_tls,
            starttls=query.get("starttls", ["auto"])[-1],
            sender=query.get("from", [user if user and "@" in user else ""])[-1],
            to=tuple(
                each.strip() for given in query.get("to", []) for each in given.split(",") if each.strip()
            ),
        )

    def send(self, alert: Alert, limit: senders.Limit) -> None:
        """See `Address`."""
        senders.mail(self._mail(urlsplit(self.text)), alert, limit)


class Service(Address):
    """An address of Apprise, which knows most services."""

    @property
    def shown(self) -> str:
        """The scheme: in such an address the host may be a token."""
        return f"{self.text.partition(':')[0]}://{MASK}"

    def check(self) -> None:
        """See `Address`."""
        if absent := missing("notify"):
            raise InvalidValueError(f"{absent}; {ALLOWED}")
        if not senders.is_known_to_apprise(self.text):
            raise InvalidValueError(f"Apprise cannot use it; {ALLOWED}")

    def send(self, alert: Alert, limit: senders.Limit) -> None:
        """See `Address`."""
        senders.by_apprise(self.text, alert, limit)


KINDS: dict[str, type[Address]] = {
    "command": Command,
    "http": Web,
    "https": Web,
    "smtp": Mail,
    "smtps": Mail,
}


def parse_addresses(value: Any, place: str) -> tuple[Address, ...]:
    """Return the addresses of a list, or of a text with one per line; None and empty ones are left out.

    Raise InvalidValueError for one that cannot work, with `place`, what is allowed, and no secret.
    """
    given = value.splitlines() if isinstance(value, str) else [] if value is None else value
    if not isinstance(given, Sequence):
        raise InvalidValueError(f"{place}: must be a list of addresses; {ALLOWED}")
    found: dict[str, Address] = {}
    for index, each in enumerate(given):
        if each is not None and not isinstance(each, str):
            raise InvalidValueError(f"{place}.{index}: an address must be text, in quotes; {ALLOWED}")
        if text := (each or "").strip():
            found[text] = _parse(text, place if len(given) == 1 else f"{place}.{index}")
    return tuple(found.values())


def parse_option(values: Sequence[str] | None, option: str) -> tuple[Address, ...]:
    """Return the addresses that an option of a command line gives; raise InvalidValueError if it is given and empty."""
    found = parse_addresses(values, option)
    if values and not found:
        raise InvalidValueError(f"{option} is empty, as by a variable that is not set; {ALLOWED}")
    return found


def _parse(text: str, place: str) -> Address:
    scheme = _SCHEME.match(text)
    if scheme is None or (scheme[1].lower() != "command" and not text.startswith("//", scheme.end())):
        raise InvalidValueError(f"{place}={MASK}: is no address; {ALLOWED}")
    address = KINDS.get(scheme[1].lower(), Service)(text)
    try:
        address.check()
    except InvalidValueError as error:
        try:
            shown = address.shown
        except ValueError:  # not even its host can be read
            shown = f"{scheme[1]}://{MASK}"
        raise InvalidValueError(f"{place}={shown}: {error}") from None
    return address


def _require_host(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        is_sound = bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:  # such as a port that is no number
        is_sound = False
    if not is_sound or not text.isprintable() or " " in text:
        raise InvalidValueError(
            "has no host, or a port or a character that no URL has; write scheme://host:port/..."
        )
    return url


def _place(url: SplitResult) -> str:
    host = url.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if url.port is None else f"{host}:{url.port}"
