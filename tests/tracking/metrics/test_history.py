"""The order of points, equal in journals, views and metrics.json."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import ExperimentTracker
from tracking.metrics import history
from tracking.metrics.history import journal_text, read_history, read_journals, read_metrics_json
from tracking.metrics.journal_files import opened
from tracking.metrics.line import Line, LineEncoder
from tracking.metrics.metrics_json import MetricsText
from tracking.metrics.summary import add_all, read_stats
from tracking.metrics.summary_file import View, mark_of, write_view
from tracking.paths import RunPaths

NUMBERS = st.sampled_from([0, 1, 2, 0.5, -0.0, -3.25, 1e300, -1e300, math.nan, math.inf, -math.inf, 2**62])
CALLS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 4), st.integers(-(2**63), 2**63 - 1)),
        st.dictionaries(st.sampled_from(["a", "b", 'q"\n,é']), NUMBERS, min_size=1),
        st.integers(0, 2),
    ),
    max_size=30,
)
RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
Call = tuple[int | None, dict[str, float], int]


def stamp(index: int) -> str:
    return f"2024-11-15T10:{index // 60:02d}:{index % 60:02d}.000+01:00"


def write_journals(folder: Path, calls: list[Call], count: int) -> RunPaths:
    """Write the calls to `count` journals, each to that of its writer."""
    paths = RunPaths(folder)
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    texts = [b"", *(b'{"writer":{"pid":%d}}\n' % number for number in range(1, count))]
    for index, (step, metrics, writer) in enumerate(calls):
        texts[writer % count] += Line(step, stamp(index), metrics).encode()
    for number, text in enumerate(texts):
        (paths.journal_of(f"host.{number}.0123abcd") if number else paths.journal).write_bytes(text)
    return paths


def expected(calls: list[Call]) -> dict[str, list[dict[str, Any]]]:
    """Return the points in their order, by the simplest code."""
    found: dict[str, list[dict[str, Any]]] = {}
    for index, (step, metrics, _) in enumerate(calls):
        for name, value in metrics.items():
            found.setdefault(name, []).append({"step": step, "value": value, "timestamp": stamp(index)})
    for points in found.values():
        points.sort(key=lambda point: (point["step"] is None, point["step"] or 0))
    return found


def summary_of(points: list[dict[str, Any]]) -> tuple[Any, ...]:
    finite = [point for point in points if math.isfinite(point["value"])]
    low = min(finite, key=lambda point: point["value"], default={"value": None, "step": None})
    high = max(finite, key=lambda point: point["value"], default={"value": None, "step": None})
    last = points[-1]
    return (
        last["value"],
        last["step"],
        low["value"],
        low["step"],
        high["value"],
        high["step"],
        len(points),
        len(points) - len(finite),
    )


def told(value: Any) -> str:
    return repr(sorted(value.items()))  # NaN equals NaN, and -0.0 does not equal 0


@RELAXED
@given(calls=CALLS, count=st.integers(1, 3), chunk=st.integers(1, 300), seen=st.integers(0, 30))
def test_journals_views_and_metrics_json_hold_the_same_points_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[Call], count: int, chunk: int, seen: int
) -> None:
    monkeypatch.setattr(history, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(history, "BATCH", 1 + chunk % 5)
    paths = write_journals(tmp_path / "run", calls, count)
    points = expected(calls)
    stats = {name: summary_of(column) for name, column in points.items()}

    def account() -> str:
        return told({name: tuple(vars(stat).values()) for name, stat in read_stats(paths).items()})

    assert told(read_history(paths)) == told(points)
    assert account() == told(stats)

    if count == 1:
        absorbed = b"".join(paths.journal.read_bytes().splitlines(keepends=True)[:seen])
        (tmp_path / "prefix").write_bytes(absorbed)
        with (tmp_path / "prefix").open("rb") as prefix:
            mark = mark_of(prefix.fileno(), len(absorbed))
            view = View(add_all({}, read_journals([prefix])), len(absorbed), len(absorbed), mark)
        write_view(paths.summary, view)
        assert account() == told(stats)

    text = MetricsText()
    with opened(paths) as found:
        for block in read_journals(found.journals):
            text.add(block)
    for path in tmp_path.joinpath("run").iterdir():
        path.unlink()
    paths.metrics.write_bytes(b"".join(text.pieces()))
    assert told(read_history(paths)) == told(points)
    assert account() == told(stats)
    rows = paths.metrics.read_text().splitlines()
    assert sum('"value":' in row for row in rows) == sum(map(len, points.values()))

    paths.journal.write_bytes(journal_text(read_metrics_json(paths.metrics)))
    assert told(read_history(paths)) == told(points)
    assert account() == told(stats)


def test_out_of_order_and_repeated_steps_are_kept_and_ordered(tracker: ExperimentTracker) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    for step, value in [(2, 0.2), (None, 9.0), (0, 0.0), (2, 0.3), (1, 0.1)]:
        run.log({"a": value}, step=step)

    def check() -> None:
        points = tracker.get_run(run.run_id)["metrics"]["a"]
        assert [(point["step"], point["value"]) for point in points] == [
            (0, 0.0),
            (1, 0.1),
            (2, 0.2),
            (2, 0.3),
            (None, 9.0),
        ]
        assert (tracker.record(run.run_id).summary["a"].last, len(points)) == (9.0, 5)

    check()
    run.finish()
    check()
    written = json.loads((run.run_dir / "metrics.json").read_text())
    assert [point["value"] for point in written["a"]] == [0.0, 0.1, 0.2, 0.3, 9.0]


@RELAXED
@given(
    metrics=st.dictionaries(st.sampled_from(["a", "null", 'q"']), NUMBERS, min_size=1),
    step=st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
)
def test_the_fast_and_the_checked_encoding_of_a_line_agree(
    monkeypatch: pytest.MonkeyPatch, metrics: dict[str, float], step: int | None
) -> None:
    monkeypatch.setattr("tracking.values.timestamps.now", lambda: stamp(0))
    monkeypatch.setattr("tracking.metrics.line._now", lambda: stamp(0))
    encoder = LineEncoder()
    long = encoder.encode(metrics, step)
    assert encoder.encode(metrics, step) == long == Line(step, stamp(0), metrics).encode()


def test_a_metrics_json_with_steps_of_other_types_is_read_continued_and_finished(
    tracker: ExperimentTracker,
) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    run.finish()
    steps = [1.5, "two", 1, None, [3]]
    points = [{"step": step, "value": index, "timestamp": 'at ","'} for index, step in enumerate(steps)]
    (run.run_dir / "metrics.json").write_text(json.dumps({"a": points}))
    run.log({"a": 9.0}, step=2)
    run.finish()
    found = tracker.get_run(run.run_id)["metrics"]["a"]
    assert [point["value"] for point in found] == [2, 0, 9.0, 1, 3, 4]
    assert {repr(point["step"]) for point in found} == {*map(repr, steps), "2"}


def test_a_very_long_line_and_a_journal_of_zeros_are_read(
    tracker: ExperimentTracker, caplog: pytest.LogCaptureFixture
) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    run.log({f"m{number}": 0.5 for number in range(30_000)}, step=0)
    run.log({"a": 1}, step=1)
    with (run.run_dir / "metrics.jsonl").open("ab") as journal:
        journal.write(b"\0" * 2_000_000)
    assert len(tracker.get_run(run.run_id)["metrics"]) == 30_001
    assert tracker.record(run.run_id).summary["a"].count == 1
    run.finish()
    assert len(tracker.get_run(run.run_id)["metrics"]) == 30_001
