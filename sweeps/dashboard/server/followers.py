"""The runs that one event stream follows: which are looked at when, and what is new of them."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sweeps.dashboard.server.answers import ERRORS, UNREADABLE, status_of
from sweeps.dashboard.server.watch_list import Event, WatchList

if TYPE_CHECKING:
    from tracking.browse.following import FollowedRun
    from tracking.browse.following_text import FollowedText
    from tracking.browse.reader import StoreReader

OFTEN_S = 0.1
SELDOM_S = 2.0  # a run that has ended may be taken up again
TOGETHER_S = 0.02  # what is due within this time is looked at together
MOST_SHARE = 0.05  # of a core that looking takes
RUNNING = "running"


@dataclass
class _Followed:
    run: str
    points: "FollowedRun | None" = None
    text: "FollowedText | None" = None
    status: str | None = None
    due: float = 0.0
    wants_points: bool = False
    wants_text: bool = False


@dataclass
class Followers:
    """Reads on in the runs of a watch list, from where it stands first; the methods block."""

    reader: "StoreReader"
    watch: WatchList
    _followed: list[_Followed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        runs, output = self.watch.runs, self.watch.output
        self._followed = [
            _Followed(run, wants_points=run in runs, wants_text=run in output)
            for run in dict.fromkeys([*runs, *output])
        ]

    def wait_s(self) -> float:
        """Return for how long there is nothing to look at."""
        soonest = min((each.due for each in self._followed), default=time.monotonic() + SELDOM_S)
        return max(0.0, soonest - time.monotonic())

    def look(self) -> list[Event]:
        """Return what is new of the runs that are due."""
        with self._lock:
            events: list[Event] = []
            begun, spent = time.monotonic(), time.thread_time()
            looked = [each for each in self._followed if each.due <= begun + TOGETHER_S]
            for followed in looked:
                try:
                    events += self._news(followed)
                except ERRORS as error:
                    if status_of(error) < UNREADABLE:  # no run has the name, or not any more
                        events.append(Event("gone", {"run": followed.run}, "runs", followed.run, None))
                        self._forget(followed)
                    else:  # such as a damaged file, which its writer may mend
                        followed.status = ""
            often = min(max(OFTEN_S, (time.thread_time() - spent) / MOST_SHARE), SELDOM_S)
            for followed in looked:
                followed.due = begun + (often if followed.status in {None, RUNNING} else SELDOM_S)
            return events

    def close(self) -> None:
        """Close the files of the runs."""
        with self._lock:
            for followed in [*self._followed]:
                self._forget(followed)

    def _news(self, followed: _Followed) -> Iterator[Event]:
        run = followed.run
        if followed.wants_points:
            if followed.points is None:
                followed.points = self.reader.follow(run, self.watch.runs[run])
            news = followed.points.read()
            before, followed.status = followed.status, news.status
            name = ""
            data: dict[str, Any] = {"run": run, "status": news.status}
            if news.lines or news.whole:
                name, data = "points", {**data, "lines": news.lines, "whole": news.whole}
            elif before != news.status:
                name = "run"
            yield Event(name, data, "runs", run, news.cursor)
        if followed.wants_text:
            if followed.text is None:
                followed.text = self.reader.follow_text(run, self.watch.output[run])
            part = followed.text.read()
            if part.text or part.whole:
                yield Event("output", {"run": run, **part._asdict()}, "output", run, part.end)

    def _forget(self, followed: _Followed) -> None:
        self._followed.remove(followed)
        for each in (followed.points, followed.text):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.close()
