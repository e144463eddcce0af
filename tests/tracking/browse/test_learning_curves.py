"""Curves: the points of the history as columns, thinned, on three axes."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_json import assert_plain

from tracking import ExperimentTracker, UnknownRunError
from tracking.browse import learning_curves, metrics_text, points
from tracking.browse.points import Series, read_series
from tracking.browse.reader import StoreReader
from tracking.browse.snapshot import snapshot
from tracking.browse.thinning import MOST_MARKS, thinned
from tracking.errors import InvalidValueError
from tracking.metrics.history import read_history
from tracking.metrics.line import Line
from tracking.metrics.metrics_json import text_of
from tracking.paths import RunPaths, StorePaths


def series_in(paths: RunPaths, names: list[str] | None = None) -> dict[str, Series]:
    with snapshot(paths) as taken:
        return read_series(paths, taken, names).series


def expected(paths: RunPaths) -> dict[str, Series]:
    return {
        name: Series(
            *([point[key] for point in found] for key in ("step", "timestamp", "value")),
            len(found),
            lost_in(found),
        )  # type: ignore[call-arg, arg-type]
        for name, found in read_history(paths).items()
        if found
    }


def lost_in(found: list[Any]) -> int:
    return sum(not math.isfinite(point["value"]) for point in found)


def only(curves: dict[str, Any]) -> dict[str, Any]:
    (curve,) = curves["curves"]
    return dict(curve)


steps = st.one_of(st.none(), st.integers(-3, 9), st.floats(allow_nan=False, width=16))
values = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats())
histories = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.lists(
        st.fixed_dictionaries(
            {
                "step": steps,
                "value": values,
                "timestamp": st.sampled_from(["", "2026-11-15T10:00:00", '"', "ä", "\\"]),
            }
        )
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    return RunPaths(tmp_path_factory.mktemp("run"))


@given(histories, st.integers(1, 200))
def test_a_metrics_json_of_ours_is_read_as_the_parser_reads_it(
    folder: RunPaths, history: dict[str, Any], chunk: int
) -> None:
    folder.metrics.write_bytes(b"".join(text_of(history).pieces()))
    with mock.patch.object(metrics_text, "CHUNK_BYTES", chunk):
        assert repr(series_in(folder)) == repr(expected(folder))


@given(histories, st.sampled_from([None, 0, 2, "\t"]), st.integers(1, 50), st.booleans())
def test_a_metrics_json_of_other_code_is_read_as_the_parser_reads_it(
    folder: RunPaths, history: dict[str, Any], indent: Any, chunk: int, is_ascii: bool
) -> None:
    folder.metrics.write_text(json.dumps(history, indent=indent, ensure_ascii=is_ascii))
    with mock.patch.object(metrics_text, "CHUNK_BYTES", chunk):
        assert repr(series_in(folder)) == repr(expected(folder))


@given(st.data())
def test_a_metrics_json_that_was_changed_by_hand_is_read_as_the_parser_reads_it(
    folder: RunPaths, data: st.DataObject
) -> None:
    rows = [{"step": step, "value": step / 2, "timestamp": "2026"} for step in range(3)]
    text = b"".join(text_of({"loss": rows, "auc": rows}).pieces())
    place = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(place, min(len(text), place + 8)))
    new = data.draw(
        st.sampled_from([b"", b" ", b'"', b",", b"7", b"}", b"[", b"null", b'"NaN"', b"\n", b"\\"])
    )
    folder.metrics.write_bytes(text[:place] + new + text[end:])
    try:
        known = repr(expected(folder))
    except ValueError:
        with pytest.raises(ValueError, match=r"metrics\.json"):
            series_in(folder)
    else:
        assert repr(series_in(folder)) == known


def test_a_journal_is_read_as_the_history_reads_it(tracker: ExperimentTracker, base: Path) -> None:
    run = tracker.start_run("ctr_model")
    for step in [*range(30), 3, None]:
        run.log({"loss": 0.5, "auc": math.nan if step == 7 else 0.25}, step=step)
    run.log({"other": 1}, step=0)
    paths = StorePaths(base).run(run.run_id)
    assert repr(series_in(paths)) == repr(expected(paths))
    assert list(series_in(paths, ["auc", "gone"])) == ["auc"]
    run.finish()
    assert repr(series_in(paths)) == repr(expected(paths))


def test_very_many_points_are_thinned_while_they_are_read(
    tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = tracker.create_run("ctr_model")
    paths = StorePaths(base).run(run_id)
    line = [Line(step, "2026-11-15T10:00:00.000+00:00", {"loss": math.sin(step)}) for step in range(50_000)]
    paths.journal.write_bytes(b"".join(each.encode() for each in line))
    monkeypatch.setattr(points, "MOST_HELD", 4000)
    loss = series_in(paths)["loss"]
    assert loss.total == 50_000
    assert len(loss.values) <= 4000
    assert (loss.steps[0], loss.steps[-1]) == (0, 49_999)
    assert max(loss.values) == max(each.metrics["loss"] for each in line)


@given(st.lists(st.floats(width=32)), st.integers(4, 40))
def test_a_thinned_curve_keeps_its_ends_and_extremes(values: list[float], most: int) -> None:
    kept = thinned(values, most)
    assert kept == sorted(set(kept))
    finite = [place for place, value in enumerate(values) if math.isfinite(value)]
    shown = [place for place in kept if math.isfinite(values[place])]
    assert len(shown) <= most
    assert len(kept) <= most + MOST_MARKS + 1  # and the end
    if values:
        assert {0, len(values) - 1} <= set(kept)
    if finite:
        assert {finite[0], finite[-1]} <= set(shown)
        assert max(values[place] for place in shown) == max(values[place] for place in finite)
        assert min(values[place] for place in shown) == min(values[place] for place in finite)
    # every gap between two finite points is still one
    gaps = {place for place, value in enumerate(values) if not math.isfinite(value)}
    if len(gaps) <= MOST_MARKS:
        for before, after in pairwise(shown):
            assert not gaps & set(range(before, after)) or any(before < place < after for place in kept)


@pytest.fixture
def run(tracker: ExperimentTracker) -> Any:
    with tracker.start_run("ctr_model") as run:
        for step in range(100):
            run.log({"loss": 1 / (step + 1), "epoch": step // 10}, step=step)
            run.log({"val_auc": 0.5}, step=step)
    return run


def test_a_curve_has_its_points_as_columns(run: Any, reader: StoreReader) -> None:
    found = reader.curves([run.run_id], ["loss"])
    assert_plain(found)
    curve = only(found)
    assert curve["x"] == list(range(100))
    assert curve["y"] == [1 / (step + 1) for step in range(100)]
    assert (curve["run"], curve["metric"], curve["total"]) == (run.run_id, "loss", 100)
    assert len(only(reader.curves([run.run_id], ["loss"], most=10))["x"]) <= 10


def test_the_axis_may_be_the_epoch_of_the_call_or_the_time(run: Any, reader: StoreReader) -> None:
    assert only(reader.curves([run.run_id], ["loss"], x="epoch"))["x"] == [step // 10 for step in range(100)]
    times = only(reader.curves([run.run_id], ["loss"], x="time"))["x"]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < 60
    # a call without an epoch of its own lies at its step
    auc = only(reader.curves([run.run_id], ["val_auc"], x="epoch"))["x"]
    assert auc == sorted(auc)
    with pytest.raises(InvalidValueError):
        reader.curves([run.run_id], ["loss"], x="moon")


def test_values_that_are_not_finite_are_gaps_with_marks(
    tracker: ExperimentTracker, reader: StoreReader
) -> None:
    with tracker.start_run("ctr_model") as run:
        for value in (1.0, math.nan, math.nan, 2.0, -math.inf):
            run.log({"loss": value})
    curve = only(reader.curves([run.run_id], ["loss"]))
    assert curve["y"] == [1.0, None, None, 2.0, None]
    assert curve["x"] == [0, 1, 2, 3, 4]  # without steps: the number of the call
    assert curve["marks"] == [[1, "NaN"], [2, "NaN"], [4, "-Infinity"]]
    assert curve["lost"] == 3


@pytest.mark.parametrize("count", [9, 1000])
def test_a_curve_that_ends_in_infinities_has_its_end_and_their_number(
    tracker: ExperimentTracker, reader: StoreReader, count: int
) -> None:
    with tracker.start_run("ctr_model") as run:
        for step in range(40):
            run.log({"loss": 1.0 / (step + 1)}, step=step)
        for step in range(40, 40 + count):
            run.log({"loss": math.inf}, step=step)
    curve = only(reader.curves([run.run_id], ["loss"], most=100))
    assert curve["x"][-1] == 39 + count
    assert curve["lost"] == count
    assert len(curve["marks"]) == (9 if count == 9 else 2)
    (metric,) = reader.run(run.run_id)["metrics"]
    assert (metric["count"], metric["non_finite"]) == (40 + count, count)


def test_a_run_without_the_metric_has_no_curve(run: Any, reader: StoreReader) -> None:
    found = reader.curves([run.run_id], ["gone"])
    assert found["curves"] == []
    assert list(found["cursors"]) == [run.run_id]
    with pytest.raises(UnknownRunError):
        reader.curves(["run_999"], ["loss"])


def test_a_damaged_run_does_not_cost_the_others(
    run: Any, tracker: ExperimentTracker, reader: StoreReader
) -> None:
    with tracker.start_run("ctr_model") as other:
        other.log({"loss": 1.0})
    (other.artifacts_dir.parent / "metrics.json").write_text("{")
    found = reader.curves([run.run_id, other.run_id], ["loss"])
    assert [curve["run"] for curve in found["curves"]] == [run.run_id]
    assert [each["run_id"] for each in found["left_out"]] == [other.run_id]


def test_too_many_curves_are_refused(run: Any, reader: StoreReader) -> None:
    with pytest.raises(InvalidValueError, match="choose fewer"):
        reader.curves([run.run_id], [f"m{number}" for number in range(1001)])


def test_curves_of_finished_runs_are_read_once(
    run: Any, reader: StoreReader, monkeypatch: pytest.MonkeyPatch, tracker: ExperimentTracker
) -> None:
    first = reader.curves([run.run_id], ["loss", "gone"])

    def refuse(*_: object) -> None:
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(learning_curves, "read_series", refuse)
        assert reader.curves([run.run_id], ["loss", "gone"]) == first
    tracker.log_metrics(run.run_id, {"loss": 0.0}, step=100)
    assert only(reader.curves([run.run_id], ["loss"]))["total"] == 101
    tracker.finish_run(run.run_id)
    assert only(reader.curves([run.run_id], ["loss"]))["total"] == 101


def test_what_is_kept_of_curves_is_bounded(
    run: Any, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning_curves, "CACHE_BYTES", 10_000)
    for most in range(1, 50):
        reader.curves([run.run_id], ["loss"], most=most)
    assert reader._curves._bytes <= 10_000
    assert len(reader._curves._kept) < 10


def test_a_step_of_other_code_that_is_no_number_is_left_out(
    write_plain_store: Any, reader: StoreReader, base: Path
) -> None:
    write_plain_store(1)
    rows = [{"step": step, "value": 0.5, "timestamp": ""} for step in ("a", [1], {"b": 1}, 3, True, 1e400)]
    (base / "runs/run_001/metrics.json").write_text(json.dumps({"loss": rows}))
    found = reader.curves(["run_001"], ["loss"])
    assert_plain(found)
    assert only(found)["x"] == [3]
    assert_plain(reader.curves(["run_001"], ["loss"], x="time"))
