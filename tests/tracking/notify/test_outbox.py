"""Sending costs those who report nothing: no time, no exception, no exit code."""

import os
import signal
import threading
import time

import pytest
from receivers import Hooks

from tracking.notify import Alert, AlertEvent, Outbox, Paced, parse_addresses
from tracking.notify.addresses import Address
from tracking.notify.senders import Limit, NotSentError

FINISHED = Alert.of(AlertEvent.FINISHED, subject="sweep s1")


class Hangs(Address):
    """An address whose sender never comes back, as a library may that knows no limit."""

    shown = "hangs://***"
    entered = threading.Event()

    def check(self) -> None: ...

    def send(self, _alert: Alert, _limit: Limit) -> None:
        self.entered.set()
        threading.Event().wait(60)


class Fails(Address):
    """An address that takes nothing."""

    shown = "fails://***"

    def check(self) -> None: ...

    def send(self, _alert: Alert, _limit: Limit) -> None:
        raise NotSentError("no")


def test_alerts_arrive_in_their_order_and_close_waits_for_them(hooks: Hooks) -> None:
    said: list[str] = []
    outbox = Outbox(parse_addresses([hooks.url, f"{hooks.url}/other"], "notify.to"), said.append)
    for event in ("best", "promoted", "finished"):
        outbox.send(Alert.of(AlertEvent(event), subject="s", model="m", version=1, metric="auc", value=1.0))
    outbox.close()
    assert sorted(hooks.events) == sorted(["best", "promoted", "finished"] * 2)
    assert [
        post["event"] for post, (path, _) in zip(hooks.posts, hooks.requests, strict=True) if path == "/other"
    ] == [
        "best",
        "promoted",
        "finished",
    ]
    assert said == []


def test_addresses_that_look_alike_are_told_apart() -> None:
    said: list[str] = []
    outbox = Outbox([Fails("one"), Fails("two")], said.append)
    outbox.send(FINISHED)
    outbox.close()
    assert sorted(said) == [
        "alert finished to fails://*** (address 1) not sent: no",
        "alert finished to fails://*** (address 2) not sent: no",
    ]


def test_each_failure_is_said_in_a_line_and_ends_nothing(hooks: Hooks) -> None:
    said: list[str] = []
    outbox = Outbox([Fails(""), *parse_addresses([hooks.url], "notify.to")], said.append)
    outbox.send(FINISHED)
    outbox.close()
    assert said == ["alert finished to fails://*** not sent: no"]
    assert hooks.events == ["finished"]


def test_one_that_hangs_delays_no_other_one_and_not_the_end(hooks: Hooks) -> None:
    said: list[str] = []
    outbox = Outbox([Hangs(""), *parse_addresses([hooks.url], "notify.to")], said.append)
    outbox.send(FINISHED)
    outbox.send(FINISHED)
    assert hooks.came.wait(30)
    began = time.monotonic()
    outbox.close(0.2)
    assert time.monotonic() - began < 30  # and not the minute that it hangs for
    assert "2 alerts to hangs://*** not sent: it took too long" in said


def test_ctrl_c_ends_the_wait_and_raises_nothing() -> None:
    said: list[str] = []
    address = Hangs("")
    address.entered.clear()
    outbox = Outbox([address], said.append)
    outbox.send(FINISHED)
    assert address.entered.wait(30)
    waiting = outbox._senders[0]._waiting  # close puts its end mark there when it begins to wait

    def press() -> None:
        while waiting.empty():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    outbox.close(60)
    assert said == ["1 alert to hangs://*** not sent: it took too long"]


def test_without_addresses_no_thread_is_started() -> None:
    before = threading.active_count()
    outbox = Outbox([], pytest.fail)
    outbox.send(FINISHED)
    assert threading.active_count() == before
    outbox.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def paced() -> tuple[Paced, list[float], Clock]:
    sent: list[float] = []
    clock = Clock()
    return Paced(lambda: sent.append(clock.now), 60.0, clock=clock), sent, clock


Given = tuple[Paced, list[float], Clock]


def test_the_first_news_is_sent_at_once_and_later_ones_when_the_gap_is_over(paced: Given) -> None:
    news, sent, clock = paced
    news.note()
    assert sent == [1000.0]
    clock.now += 10
    news.note()
    news.note()
    assert sent == [1000.0]
    news.flush()  # what the timer calls at the end of the gap
    news.flush()
    assert sent == [1000.0, 1010.0]
    clock.now += 60
    news.note()
    assert sent == [1000.0, 1010.0, 1070.0]


def test_what_waits_can_be_dropped(paced: Given) -> None:
    news, sent, _ = paced
    news.note()
    news.note()
    assert news.drop()
    assert not news.drop()
    news.flush()
    assert sent == [1000.0]


def test_what_waits_is_sent_without_further_news() -> None:
    came = threading.Event()
    count = 0

    def send() -> None:
        nonlocal count
        count += 1
        if count == 2:
            came.set()

    news = Paced(send, 0.05)
    news.note()
    news.note()
    assert came.wait(30)
