"""The way out: each address has a thread of its own, so that sending costs those who report nothing.

A slow address delays no other one. A failure is said in a line and ends nothing.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable

from tracking.notify.addresses import Address
from tracking.notify.alerts import Alert
from tracking.notify.senders import Limit, NotSentError
from tracking.values.units import counted

SEND_S = 10.0  # the limit of one alert to one address
CLOSE_S = 5.0  # how long the end waits for what has not gone out
KILL_S = 0.5  # for commands to be killed after that


class Outbox:
    """Sends alerts to addresses in threads; `say` gets a line for each alert that was not sent, from any thread."""

    def __init__(
        self, addresses: Iterable[Address], say: Callable[[str], None], *, send_s: float = SEND_S
    ) -> None:
        self._given_up = threading.Event()
        limit = Limit(send_s, self._given_up)
        given = list(addresses)
        shown = [address.shown for address in given]
        self._senders = [
            _Sender(address, name if shown.count(name) == 1 else f"{name} (address {number})", say, limit)
            for number, (address, name) in enumerate(zip(given, shown, strict=True), start=1)
        ]

    def send(self, alert: Alert) -> None:
        """Send an alert to every address, in the background."""
        for sender in self._senders:
            sender.take(alert)

    def close(self, within_s: float = CLOSE_S) -> None:
        """Wait until everything went out, for `within_s` seconds at most, and say what did not. Ctrl-C ends the wait."""
        deadline = time.monotonic() + within_s
        with contextlib.suppress(KeyboardInterrupt):  # what was to be done is done; only an alert is late
            for sender in self._senders:
                sender.finish(max(0.0, deadline - time.monotonic()))
        self._given_up.set()
        for sender in self._senders:
            sender.give_up(KILL_S)


class _Sender:
    """The thread of one address; it starts with the first alert."""

    def __init__(self, address: Address, name: str, say: Callable[[str], None], limit: Limit) -> None:
        self._address = address
        self._name = name
        self._say = say
        self._limit = limit
        self._waiting: queue.SimpleQueue[Alert | None] = queue.SimpleQueue()
        self._left = 0  # alerts that were taken and neither sent nor said to have failed
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def take(self, alert: Alert) -> None:
        with self._lock:
            self._left += 1
            if self._thread is None:
                # A daemon, because one that hangs must not keep the process from ending.
                self._thread = threading.Thread(target=self._work, name="podium-alerts", daemon=True)
                self._thread.start()
        self._waiting.put(alert)

    def finish(self, within_s: float) -> None:
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(within_s)

    def give_up(self, within_s: float) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(within_s)
        with self._lock:
            left, self._left = self._left, 0
        if left:
            self._say(f"{counted(left, 'alert')} to {self._name} not sent: it took too long")

    def _work(self) -> None:
        while (alert := self._waiting.get()) is not None and not self._limit.given_up.is_set():
            fault = None
            try:
                self._address.send(alert, self._limit)
            except NotSentError as error:
                fault = str(error)
            with self._lock:
                if not self._left:  # given up meanwhile, and said
                    return
                self._left -= 1
            if fault is not None:
                self._say(f"alert {alert.event} to {self._name} not sent: {fault}")
