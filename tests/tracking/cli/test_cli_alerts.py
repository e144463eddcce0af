"""watch --notify: what changes from one look to the next is sent, once."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import Say
from receivers import Hooks

from tracking import ExperimentTracker
from tracking.cli.alerts import QUIET_S, Watcher
from tracking.notify import Alert
from tracking.search.catalog import Catalog
from tracking.store.store import Store


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sent() -> list[Alert]:
    return []


@pytest.fixture
def look(tracker: ExperimentTracker, base: Path, sent: list[Alert], clock: Clock) -> Callable[[], list[str]]:
    """Look at the runs of ctr; return the titles of what was sent since the last look."""
    catalog = Catalog(Store(base))
    watcher = Watcher(catalog, "ctr", sent.append, clock)

    def look() -> list[str]:
        before = len(sent)
        watcher.look([{"run_id": row.run_id, "status": row.status} for row in catalog.rows("ctr")])
        return [alert.title for alert in sent[before:]]

    return look


def finish(tracker: ExperimentTracker, auc: float | None = None, error: str | None = None) -> str:
    run = tracker.start_run("ctr", capture_output=False)
    if auc is not None:
        run.log({"val_auc": auc})
    if error is None:
        run.finish()
    else:
        with pytest.raises(ValueError, match=error), run:
            raise ValueError(error)
    return run.run_id


def test_what_was_there_at_the_first_look_is_no_news(
    tracker: ExperimentTracker, look: Callable[[], list[str]], clock: Clock
) -> None:
    finish(tracker, 0.9)
    finish(tracker, error="old")
    assert look() == []
    clock.now += 2 * QUIET_S
    assert look() == []
    finish(tracker, 0.8)
    assert look() == []  # it is not better


def test_a_better_value_is_sent_with_the_one_before(
    tracker: ExperimentTracker, look: Callable[[], list[str]], sent: list[Alert], base: Path
) -> None:
    finish(tracker, 0.7)
    look()
    run = finish(tracker, 0.8)
    assert look() == ["New best of experiment ctr: val_auc 0.8"]
    assert sent[0].facts["before"] == 0.7
    assert f"Run: {run}" in sent[0].text
    assert f": python -m tracking show {run} --store {base}\n" in sent[0].text
    assert look() == []


def test_further_better_values_wait_for_the_gap_and_the_latest_counts(
    tracker: ExperimentTracker, look: Callable[[], list[str]], clock: Clock
) -> None:
    look()
    finish(tracker, 0.7)
    assert look() == ["New best of experiment ctr: val_auc 0.7"]
    clock.now += 1
    finish(tracker, 0.8)
    assert look() == []
    clock.now += 60
    finish(tracker, 0.9)
    assert look() == ["New best of experiment ctr: val_auc 0.9"]


def test_a_failed_run_is_sent_with_its_error(
    tracker: ExperimentTracker, look: Callable[[], list[str]], sent: list[Alert]
) -> None:
    look()
    run = finish(tracker, error="no luck with password=hunter2")
    assert look() == [f"Failed: run {run} of ctr"]
    assert "Error: ValueError: no luck with password=***" in sent[0].text
    finish(tracker, error="a")
    finish(tracker, error="b")
    assert look() == ["Failed: 2 runs of ctr"]
    assert look() == []


def test_the_end_of_all_runs_is_sent_once_when_it_lasts(
    tracker: ExperimentTracker, look: Callable[[], list[str]], sent: list[Alert], clock: Clock
) -> None:
    look()
    finish(tracker, 0.7)
    look()
    clock.now += QUIET_S - 1
    assert look() == []
    with tracker.start_run("ctr", capture_output=False) as run:
        clock.now += 2
        assert look() == []  # the next one has started
        run.log({"val_auc": 0.6})
    look()
    clock.now += QUIET_S
    assert look() == ["Finished: experiment ctr, best val_auc 0.7"]
    assert "Runs: 2 completed\n" in sent[-1].text
    clock.now += 2 * QUIET_S
    assert look() == []


def test_the_command_sends_while_it_watches(
    tracker: ExperimentTracker, say: Say, hooks: Hooks, monkeypatch: pytest.MonkeyPatch, base: Path
) -> None:
    monkeypatch.setenv("PODIUM_STORE", str(base))
    finish(tracker, 0.7)
    steps = iter([lambda: finish(tracker, 0.8), lambda: hooks.came.wait(30)])

    def sleep(_seconds: float) -> None:
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    # of this module alone: the threads that send sleep, too
    monkeypatch.setattr("tracking.cli.watch.time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr("tracking.cli.alerts.CLOSE_S", 30.0)
    code, _, err = say("watch", "ctr", "--notify", f"{hooks.url}/S3CRET", "--notify", "command:exit 3")
    assert (code, hooks.events) == (130, ["best"])
    assert "alert best to command:exit *** not sent: the command ended with exit code 3" in err
    assert "S3CRET" not in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--notify", "S3CRET"], "--notify=***: is no address; allowed are command:"),
        (["--notify", "command:true", "--once"], "--notify is about what happens later"),
    ],
)
def test_a_wrong_address_is_a_wrong_call(say: Say, store: Path, options: list[str], message: str) -> None:
    code, out, err = say("watch", "ctr_model", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert "S3CRET" not in err


def test_watching_without_alerts_starts_no_thread(say: Say, store: Path) -> None:
    before = threading.active_count()
    assert say("watch", "ctr_model", "--once")[0] == 0
    assert threading.active_count() == before
