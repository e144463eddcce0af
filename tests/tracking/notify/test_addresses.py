"""An address is checked before anything starts, and no message about it holds a secret."""

import sys
from typing import Any

import pytest

from tracking import InvalidValueError
from tracking.notify import AlertEvent, parse_addresses, parse_events, parse_option
from tracking.notify.addresses import Command, Mail, Service, Web

MAILS = "from=me@x.org&to=you@x.org"


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("command:cat", Command, "command:cat"),
        ("command:cat > /dev/null; echo S3CRET", Command, "command:cat ***"),
        ("command:TOKEN=S3CRET cat", Command, "command:*** ***"),
        ("https://hooks.example.org/services/S3CRET", Web, "https://hooks.example.org/***"),
        ("http://me:S3CRET@[::1]:8080", Web, "http://[::1]:8080/"),
        ("http://example.org?token=S3CRET", Web, "http://example.org/***"),
        (f"smtp://me:S3CRET@mail.x.org/?{MAILS}", Mail, "smtp://***@mail.x.org/?***"),
        (f"smtps://mail.x.org:465/?{MAILS},her@x.org", Mail, "smtps://mail.x.org:465/?***"),
        (
            "smtp://me%40x.org:S3CRET@mail.x.org/?to=me+alerts@x.org&starttls=always",
            Mail,
            "smtp://***@mail.x.org/?***",
        ),
    ],
)
def test_an_address_is_shown_without_its_secrets(text: str, kind: type, shown: str) -> None:
    (address,) = parse_addresses([text], "notify.to")
    assert type(address) is kind
    assert address.shown == shown
    assert "S3CRET" not in repr(address)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("me@S3CRET.org", r"notify.to=\*\*\*: is no address; allowed are command:"),
        ("slack:S3CRET", r"notify.to=\*\*\*: is no address"),
        ("command:", "names no command"),
        ("command:no-such-program S3CRET", r"notify.to=command:no-such-program \*\*\*: there is no program"),
        ("https:///S3CRET", "has no host"),
        ("https://x.org:S3CRET/", r"notify.to=https://\*\*\*: has no host, or a port"),
        ("https://x.org:0/S3CRET", "has no host, or a port"),
        ("https://x.org/S3CRET is here", r"https://x.org/\*\*\*: has no host, or a port or a character"),
        ("https://[::1/S3CRET", r"https://\*\*\*"),
        ("smtp://me:S3CRET@x.org/?from=me@x.org", "names no mail address in to="),
        ("smtp://me:S3CRET@x.org/?from=x&to=y", "names no mail address in from="),
        ("smtp://me:S3CRET@x.org/?from=x@y.org&to=y", "names no mail address in to="),
        ("smtp://me:S3CRET@x.org/?to=me@x.org", "names no mail address in from="),
        (
            f"smtp://me:S3CRET@x.org/?{MAILS}&starttls=maybe",
            "starttls=maybe: allowed are auto, always, never",
        ),
        (
            f"smtp://me:S3CRET@x.org/?{MAILS}&cc=a@x.org",
            "unknown parameter cc=; allowed are from, to, starttls",
        ),
    ],
)
def test_a_wrong_address_is_refused_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message) as refused:
        parse_addresses([text], "notify.to")
    assert "S3CRET" not in str(refused.value)


def test_of_several_addresses_the_wrong_one_is_named_by_its_place() -> None:
    with pytest.raises(InvalidValueError, match=r"sweep\.notify\.to\.1=\*\*\*"):
        parse_addresses(["command:cat", "S3CRET"], "sweep.notify.to")


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (None, 0),
        ([], 0),
        ([None, ""], 0),
        ("", 0),
        ("command:cat", 1),
        ("command:cat\ncommand:true\n", 2),
        (["command:cat", "command:cat"], 1),
    ],
)
def test_addresses_are_a_list_or_lines_and_none_counts_twice(value: Any, count: int) -> None:
    assert len(parse_addresses(value, "notify.to")) == count


@pytest.mark.parametrize("given", [[""], ["", " "]])
def test_an_option_that_is_given_and_empty_is_refused(given: list[str]) -> None:
    with pytest.raises(
        InvalidValueError, match=r"--notify is empty, as by a variable .*; allowed are command:"
    ):
        parse_option(given, "--notify")
    assert parse_option(None, "--notify") == parse_option([], "--notify") == ()
    assert len(parse_option(["", "command:cat"], "--notify")) == 1


@pytest.mark.parametrize("value", [7, {"a": 1}, [7], [["command:cat"]]])
def test_what_is_no_list_of_texts_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"notify\.to.*allowed are command:"):
        parse_addresses(value, "notify.to")


def test_without_apprise_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(
        InvalidValueError, match=r"slack://\*\*\*: apprise is not installed; .*podium\[notify\]"
    ) as refused:
        parse_addresses(["slack://S3CRET/B/C"], "notify.to")
    assert "\n" not in str(refused.value)
    assert "S3CRET" not in str(refused.value)


def test_with_apprise_its_addresses_are_checked_too() -> None:
    pytest.importorskip("apprise")
    (address,) = parse_addresses(["json://S3CRET.example.org/path"], "notify.to")
    assert (type(address), address.shown) == (Service, "json://***")
    for wrong in ("htps://example.org/S3CRET", "slack://S3CRET"):
        with pytest.raises(InvalidValueError, match="Apprise cannot use it; allowed are") as refused:
            parse_addresses([wrong], "notify.to")
        assert "S3CRET" not in str(refused.value)


@pytest.mark.parametrize("value", [["best", "failed"], "best, failed"])
def test_events_are_a_list_or_a_text(value: Any) -> None:
    assert parse_events(value, "notify.on") == {AlertEvent.BEST, AlertEvent.FAILED}


@pytest.mark.parametrize(
    ("value", "message"), [(["done"], "notify.on=done"), (True, "notify.on=True"), ([None], "None")]
)
def test_an_unknown_event_is_refused_with_the_allowed_ones(value: Any, message: str) -> None:
    with pytest.raises(
        InvalidValueError, match=f"{message}: allowed .*promoted, refused, finished, failed, best"
    ):
        parse_events(value, "notify.on")
