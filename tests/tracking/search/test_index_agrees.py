"""After any changes to a store or to its index, by this software or by hand, the index agrees with the scan."""

import contextlib
import json
import math
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tracking import CorruptFileError, ExperimentTracker, QueryError, TrackingError
from tracking.objective import Objective
from tracking.records import RunRecord
from tracking.search.catalog import Catalog
from tracking.search.index import refresh
from tracking.search.search import Search
from tracking.store.store import Store

EXPERIMENTS = ("x", "y")
METRICS = ("auc", "loss.max", "loss")
QUERIES = (
    "metrics.auc > 0.5",
    "metrics.auc is None or metrics.loss.max == 1 or metrics['loss'].max < 0",
    "auc.count > 1 and status != 'failed'",
    "tags.team == 'a' or params.model.hidden == 3 or params.lr in [0.1, None]",
    "not lr > 0 and created_at >= today",
    "run_id <= 'run_7' or 'run_002' < run_id",
    "metrics.auc.last_step is None and experiment == 'x' and duration_s >= 0 and description == ''",
)
ORDERS = ("-metrics.auc", "metrics['loss'].min", ["status", "-run_id"], "params.lr", "-created_at", "-run_id")

numbers = st.one_of(
    st.floats(), st.integers(-3, 3), st.sampled_from([math.nan, math.inf, 0.5, 2**62]), st.just(0.25)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(2**70) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["hidden", "b"]), inner, max_size=2)
    ),
    max_leaves=4,
)
params = st.dictionaries(st.sampled_from(["lr", "model", "model.hidden", "ü"]), values, max_size=3)


class ChangedByUs(RuleBasedStateMachine):
    """Changed by this software alone, so that nothing need be looked at without a reason."""

    looks = (0, 0)
    every_order = False

    def __init__(self) -> None:
        super().__init__()
        self.normal = refresh.SMALL, refresh.SLICE
        refresh.SMALL, refresh.SLICE = self.looks
        self.folder = Path(tempfile.mkdtemp())
        self.base = self.folder / "store"
        self.writer = ExperimentTracker(self.base)
        self.readers = [Catalog(Store(self.base)), Catalog(Store(self.base))]

    def teardown(self) -> None:
        refresh.SMALL, refresh.SLICE = self.normal
        for reader in self.readers:
            reader.index.close()
        shutil.rmtree(self.folder)

    def ids(self) -> list[str]:
        runs = self.base / "runs"
        return sorted(path.name for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []

    def any_of(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.ids()))

    @rule(experiment=st.sampled_from(EXPERIMENTS))
    def create(self, experiment: str) -> None:
        self.writer.create_run(experiment, tags={"team": "a"} if experiment == "x" else None)

    @precondition(ids)
    @rule(
        data=st.data(),
        metrics=st.dictionaries(st.sampled_from(METRICS), numbers),
        step=st.none() | st.integers(0, 3),
    )
    def log(self, data: st.DataObject, metrics: dict[str, float], step: int | None) -> None:
        self.attempt(lambda run_id: self.writer.log_metrics(run_id, metrics, step), data)

    @precondition(ids)
    @rule(data=st.data(), values=params)
    def log_params(self, data: st.DataObject, values: dict[str, object]) -> None:
        self.attempt(lambda run_id: self.writer.log_params(run_id, values), data)

    @precondition(ids)
    @rule(data=st.data(), team=st.sampled_from(["a", "b", 3, None]))
    def tag(self, data: st.DataObject, team: object) -> None:
        self.attempt(lambda run_id: self.writer.open_run(run_id).set_tags({"team": team}), data)

    @precondition(ids)
    @rule(data=st.data(), status=st.sampled_from(["completed", "failed", "killed"]))
    def finish(self, data: st.DataObject, status: str) -> None:
        self.attempt(lambda run_id: self.writer.finish_run(run_id, status), data)

    def attempt(self, act: Callable[[str], None], data: st.DataObject) -> None:
        with contextlib.suppress(TrackingError):  # the run may be damaged
            act(self.any_of(data))

    @precondition(ids)
    @rule(data=st.data())
    def remove_folder(self, data: st.DataObject) -> None:
        shutil.rmtree(self.base / "runs" / self.any_of(data))
        self.writer = ExperimentTracker(self.base)

    @precondition(ids)
    @rule(data=st.data(), name=st.sampled_from(["run_7", "run_07", "copy", "run_1000"]))
    def copy_folder(self, data: st.DataObject, name: str) -> None:
        with contextlib.suppress(FileExistsError):
            shutil.copytree(self.base / "runs" / self.any_of(data), self.base / "runs" / name)

    @rule()
    def claim(self) -> None:
        (self.base / "runs" / "run_2000").mkdir(parents=True, exist_ok=True)

    @rule(which=st.integers(0, 1))
    def begin_anew(self, which: int) -> None:
        self.readers[which].index.close()
        self.readers[which] = Catalog(Store(self.base))

    @invariant()
    def all_answers_are_those_of_the_scan(self) -> None:
        for reader in self.readers:
            told: list[CorruptFileError] = []
            read: list[CorruptFileError] = []
            expected = list(reader.store.scan.records(None, told.append))
            found = reader.records(None, read.append)
            assert [repr(vars(run)) for run in found] == [repr(vars(run)) for run in expected]
            assert {str(error) for error in read} == {str(error) for error in told}
            for experiment in (None, *EXPERIMENTS):
                some = [run for run in expected if experiment in (None, run.experiment_name)]
                agrees_on(reader, experiment, some, expected, every_order=self.every_order)


class ChangedByAnybody(ChangedByUs):
    """Changed by hand too, and with an index that is removed and spoiled under its users."""

    looks = (refresh.SMALL, refresh.SLICE)

    @precondition(ChangedByUs.ids)
    @rule(
        data=st.data(),
        change=st.sampled_from(
            [{"status": "failed"}, {"experiment_name": "y"}, {"tags": {"team": "b"}}, {"created_at": "2024"}]
        ),
    )
    def edit_by_hand(self, data: st.DataObject, change: dict[str, object]) -> None:
        path = self.base / "runs" / self.any_of(data) / "run.json"
        with contextlib.suppress(ValueError, FileNotFoundError):
            path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    @precondition(ChangedByUs.ids)
    @rule(
        data=st.data(),
        name=st.sampled_from(["run.json", "params.json", "metrics.json", "metadata.json"]),
        text=st.sampled_from(
            ["{", "[3]", "{}", '{"a": [{"value": "?"}]}', '{"lr": NaN}', '{"lr": "\\ud800"}']
        ),
    )
    def damage(self, data: st.DataObject, name: str, text: str) -> None:
        folder = self.base if name == "metadata.json" else self.base / "runs" / self.any_of(data)
        (folder / name).write_text(text)

    @rule(number=st.integers(1, 3), status=st.sampled_from(["running", "completed", "?"]))
    def foreign(self, number: int, status: str) -> None:
        folder = self.base / "runs" / f"other_{number}"
        folder.mkdir(parents=True, exist_ok=True)
        point = {"step": None, "value": number, "timestamp": ""}
        (folder / "metrics.json").write_text(json.dumps({"auc": [point]}))
        entry = {"run_id": folder.name, "experiment_name": "x", "status": status}
        path = self.base / "metadata.json"
        try:
            entries = [one for one in json.loads(path.read_text()) if one["run_id"] != folder.name]
        except (ValueError, FileNotFoundError, TypeError, KeyError):
            entries = []
        path.write_text(json.dumps([*entries, entry]))

    @rule(
        data=st.data(),
        how=st.sampled_from(["remove", "garbage", "truncate", "empty", "folder"]),
    )
    def spoil_index(self, data: st.DataObject, how: str) -> None:
        path = self.readers[0].index.path
        if path.exists():
            spoil(path, how)


def agrees_on(
    reader: Catalog,
    experiment: str | None,
    runs: list[RunRecord],
    every: list[RunRecord],
    *,
    every_order: bool,
) -> None:
    entries = list(reader.store.scan.entries(experiment, ignore))
    assert repr(reader.entries(experiment, ignore)) == repr(entries)
    rows = reader.rows(experiment, ignore)
    assert [row[:3] for row in rows] == [(run.run_id, run.experiment_name, run.status) for run in runs]
    for metric in METRICS:
        for mode in ("max", "min"):
            for at in ("last", "best"):
                found = reader.best(Objective.of(metric, mode, at), experiment, ignore)
                assert found == best_by_hand(runs, metric, mode, at)
    for number, text in enumerate(QUERIES):
        for order in (None, *(ORDERS if every_order else ORDERS[number : number + 1])):
            asked = {"experiment_name": experiment, "order_by": order, "limit": 3 if order else None}
            search = partial(reader.search, text, ignore, **asked)
            assert answer(search) == answer(partial(Search.parse(text, **asked).select_records, every))


def best_by_hand(runs: list[RunRecord], metric: str, mode: str, at: str) -> str | None:
    objective = Objective.of(metric, mode, at)
    values = [(run.run_id, objective.value(run)) for run in runs]
    finite = [(run_id, value) for run_id, value in values if value is not None and math.isfinite(value)]
    return min(finite, key=lambda pair: objective.key(pair[1]), default=(None,))[0]


def answer(ask: Callable[[], list[RunRecord]]) -> object:
    try:
        return [run.run_id for run in ask()]
    except QueryError as error:
        return str(error)


def ignore(_: CorruptFileError) -> None:
    pass


def spoil(path: Path, how: str) -> None:
    match how:
        case "remove":
            path.unlink()
        case "garbage":
            path.write_bytes(b"garbage" * 1000)
        case "truncate":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "empty":
            path.write_bytes(b"")
        case "folder":
            path.unlink()
            path.mkdir()
            path.rmdir()


class InEveryOrder(ChangedByUs):
    """Each query is asked in each order."""

    every_order = True


class ByAnybodyInEveryOrder(ChangedByAnybody):
    """Each query is asked in each order."""

    every_order = True


TestChangedByUs = ChangedByUs.TestCase
TestChangedByUs.settings = settings(max_examples=5, stateful_step_count=10, deadline=None)
TestChangedByAnybody = ChangedByAnybody.TestCase
TestChangedByAnybody.settings = settings(max_examples=5, stateful_step_count=10, deadline=None)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
class TestChangedByUsForLong(InEveryOrder.TestCase):
    settings = settings(max_examples=150, stateful_step_count=15, deadline=None)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
class TestChangedByAnybodyForLong(ByAnybodyInEveryOrder.TestCase):
    settings = settings(max_examples=150, stateful_step_count=15, deadline=None)
