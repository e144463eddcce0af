"""A reader that follows a run, is cut off and comes back has what read_history has, each point once, whatever happens."""

import itertools
import math
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tracking import ExperimentTracker
from tracking.browse import following
from tracking.browse.reader import StoreReader
from tracking.metrics import journal_files
from tracking.metrics.history import read_history
from tracking.metrics.journal import Journal
from tracking.metrics.line import Line
from tracking.metrics.metrics_json import text_of
from tracking.paths import StorePaths
from tracking.values import jsontext

names = st.sampled_from(["loss", "auc", "epoch"])
values = st.sampled_from([0.5, 1, -2.25, math.nan, math.inf])
calls = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 5)), st.dictionaries(names, values, min_size=1)), max_size=4
)
clock = itertools.count()


def line_of(step: int | None, metrics: dict[str, Any], moment: int) -> bytes:
    stamp = f"2026-11-15T{10 + moment // 3600:02}:{moment // 60 % 60:02}:{moment % 60:02}.000+00:00"
    return Line(step, stamp, metrics).encode()


def lines_of(calls: list[tuple[int | None, dict[str, Any]]]) -> list[bytes]:
    """Return lines of one time, as a coarse clock gives it to calls in a row, which no other lines have."""
    moment = next(clock)
    return [line_of(*call, moment) for call in calls]


class Page:
    """What a page knows of a run: it adds lines, and drops all it knows where they are the whole."""

    def __init__(self, reader: StoreReader) -> None:
        self.reader = reader
        self.points: Counter[tuple[str, str, str]] = Counter()
        self.cursor: str | None = None
        self.followed = reader.follow("run_001")

    def look(self) -> None:
        news = self.followed.read()
        if news.whole:
            self.points.clear()
        for step, _, metrics in news.lines:
            self.points.update((name, repr(step), repr(value)) for name, value in metrics.items())
        self.cursor = news.cursor

    def come_back(self) -> None:
        self.followed.close()
        self.followed = self.reader.follow("run_001", self.cursor)


class Following(RuleBasedStateMachine):
    """One run, its owner, other writers, and two pages of which one is often cut off."""

    long_bytes = following.LONG_BYTES

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp())
        ExperimentTracker(self.base).create_run("ctr_model")
        self.paths = StorePaths(self.base).run("run_001")
        self.owner = Journal(self.paths)
        reader = StoreReader(self.base)
        self.pages = [Page(reader), Page(reader)]
        self.torn = b""
        self.writers = 0
        # the other writers are files: none of them lives when the owner finishes
        self.patches = [
            mock.patch.object(journal_files, "is_abandoned", return_value=True),
            mock.patch.object(following, "STATUS_S", math.inf),
            mock.patch.object(following, "LONG_BYTES", self.long_bytes),
            mock.patch.object(following, "UNSURE_S", -1.0),
            mock.patch("os.fsync"),  # nothing here outlives the machine
        ]
        for patch in self.patches:
            patch.start()

    def teardown(self) -> None:
        for patch in self.patches:
            patch.stop()
        try:
            self.look(0)
            self.look(1)
        finally:
            for page in self.pages:
                page.followed.close()
                page.reader.close()
            self.owner.close()
            shutil.rmtree(self.base)

    def truth(self) -> Counter[tuple[str, str, str]]:
        return Counter(
            (name, repr(point["step"]), repr(jsontext.jsonable(point["value"])))
            for name, points in read_history(self.paths).items()
            for point in points
        )

    def others(self) -> list[Path]:
        return sorted(path for path in self.paths.folder.iterdir() if path.name.startswith("metrics.host."))

    @rule(calls=calls)
    def log(self, calls: list[tuple[int | None, dict[str, Any]]]) -> None:
        for line in lines_of(calls):
            self.owner.append(self.torn or line)
            self.torn = b""

    @precondition(lambda self: not self.torn)
    @rule(step=st.integers(0, 5), cut=st.integers(1, 60))
    def begin_a_line(self, step: int, cut: int) -> None:
        line = line_of(step, {"loss": 0.125}, next(clock))
        self.owner.append(line[:cut])
        self.torn = line[cut:]

    @rule(calls=calls)
    def log_by_a_new_writer(self, calls: list[tuple[int | None, dict[str, Any]]]) -> None:
        self.writers += 1
        text = b"".join(lines_of(calls))
        path = self.paths.folder / f"metrics.host.{self.writers}.0123abcd.jsonl"
        path.write_bytes(journal_files.header() + text)

    @precondition(lambda self: self.others())
    @rule(calls=calls, which=st.integers(0, 9), cut=st.integers(0, 30))
    def log_by_another_writer(
        self, calls: list[tuple[int | None, dict[str, Any]]], which: int, cut: int
    ) -> None:
        others = self.others()
        path = others[which % len(others)]
        text = b"".join(lines_of(calls))
        whole = path.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]
        os.truncate(path, len(whole))
        with path.open("ab") as file:
            file.write(text[: max(0, len(text) - cut)])

    @precondition(lambda self: self.others())
    @rule(which=st.integers(0, 9))
    def close_a_writer(self, which: int) -> None:
        others = self.others()
        others[which % len(others)].rename(self.paths.closed_journal(os.urandom(6).hex()))

    @precondition(lambda self: not self.torn)
    @rule()
    def finish(self) -> None:
        self.owner.finish()

    @precondition(lambda self: not self.torn)
    @rule(count=st.integers(0, 3))
    def finish_in_part(self, count: int) -> None:
        """A process is killed while it removes the journals."""
        names = journal_files.list_journals(self.paths)
        self.paths.metrics.write_bytes(b"".join(text_of(read_history(self.paths)).pieces()))
        journal_files.remove(self.paths, names[:count])
        self.owner.close()

    @precondition(lambda self: not self.torn and self.paths.journal.exists())
    @rule(back=st.integers(1, 200))
    def lose_power(self, back: int) -> None:
        """The end of the journal never reached the disk."""
        self.owner.close()
        size = self.paths.journal.stat().st_size
        os.truncate(self.paths.journal, max(0, size - back))

    @precondition(lambda self: not self.torn and self.paths.journal.exists())
    @rule()
    def replace_by_a_copy(self) -> None:
        self.owner.close()
        copy = self.paths.folder / "copy"
        shutil.copyfile(self.paths.journal, copy)
        copy.rename(self.paths.journal)

    @precondition(lambda self: self.paths.journal.exists())
    @rule(end=st.integers(0, 400))
    def keep_two_versions(self, end: int) -> None:
        """A sync program keeps a part of the journal beside it."""
        copy = self.paths.folder / "metrics (conflicted copy).jsonl"
        copy.write_bytes(self.paths.journal.read_bytes()[:end])

    @rule()
    def settle_versions(self) -> None:
        (self.paths.folder / "metrics (conflicted copy).jsonl").unlink(missing_ok=True)

    @rule(step=st.integers(0, 5))
    def write_other_metrics(self, step: int) -> None:
        """Other code adds a point to metrics.json."""
        history = read_history(self.paths)
        history.setdefault("other", []).append(
            {"step": step, "value": 0.25, "timestamp": f"2026-{next(clock)}"}
        )
        self.paths.metrics.write_bytes(b"".join(text_of(history).pieces()))

    @rule(which=st.integers(0, 1))
    def look(self, which: int) -> None:
        page = self.pages[which]
        page.look()
        truth = self.truth()
        assert (page.points - truth, truth - page.points) == (Counter(), Counter()), (page.points, truth)

    @rule()
    def come_back(self) -> None:
        self.pages[1].come_back()

    @rule()
    def begin_with_curves(self) -> None:
        """A page draws the curves that there are, and follows the run from there."""
        page = self.pages[1]
        answer = page.reader.curves(["run_001"], ["loss"])
        loss = sum(count for (name, *_), count in self.truth().items() if name == "loss")
        assert sum(curve["total"] for curve in answer["curves"]) == loss
        page.points, page.cursor = self.truth(), answer["cursors"]["run_001"]
        page.come_back()


class FollowingLong(Following):
    """Every run is a long one, of which no part is held as a whole."""

    long_bytes = 0


SHORT = settings(max_examples=25, stateful_step_count=25)
LONG = settings(max_examples=1000, stateful_step_count=40)

TestFollowing = Following.TestCase
TestFollowing.settings = SHORT
TestFollowingLong = FollowingLong.TestCase
TestFollowingLong.settings = SHORT


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("machine", [Following, FollowingLong])
def test_many_orders_of_events(machine: type[Following]) -> None:
    run_state_machine_as_test(machine, settings=LONG)
