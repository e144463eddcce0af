"""What a notebook shows of runs, stores and models: one short line, or a table without colours, scripts and foreign files."""

import html
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, ModelRegistry, RunList
from tracking.values import htmltext

HOSTILE = "<script>alert('x')</script>&\x1b[31m\u202e\nb"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, the last one of another experiment and with hostile names, and a model."""
    base = tmp_path_factory.mktemp("store") / "experiments"
    tracker = ExperimentTracker(base)
    for number in range(3):
        name = "ctr_model" if number < 2 else "<i>other</i>"
        params = {"lr": 10.0**-number, "dims": [8, 4], "note": HOSTILE if number == 2 else ""}
        with tracker.start_run(name, params=params, tags={"<b>": "&"}, capture_code=False) as run:
            run.log({"val_auc": 0.7 + number / 100, "train_loss": float("nan")}, step=0)
            run.log_text("w", "model_best.pt")
    registry = ModelRegistry(base)
    registry.register("ctr", "run_001", objective={"metric": "val_auc", "mode": "max", "value": 0.7})
    registry.promote("ctr", 1, reason="the first")
    return base


VIEWS: dict[str, tuple[Callable[[Path], Any], str, list[str]]] = {
    "tracker": (
        ExperimentTracker,
        "ExperimentTracker('experiments')",
        ["experiment", "runs", "completed", "newest", "ctr_model", "2", "2", "run_002"],
    ),
    "runs": (
        lambda base: ExperimentTracker(base).search_runs(),
        "[RunRecord('run_001', 'ctr_model', 'completed'), RunRecord('run_002', 'ctr_model', 'completed'), "
        "RunRecord('run_003', '<i>other</i>', 'completed')]",
        [
            "run_id",
            "experiment_name",
            "status",
            "created_at",
            "lr",
            "note",
            "val_auc",
            "train_loss",
            "run_001",
        ],
    ),
    "record": (
        lambda base: ExperimentTracker(base).record("run_002"),
        "RunRecord('run_002', 'ctr_model', 'completed')",
        ["Status", "completed", "Created"],
    ),
    "run": (
        lambda base: ExperimentTracker(base).open_run("run_003"),
        "Run('run_003', store='experiments')",
        ["Status", "completed", "Created"],
    ),
    "registry": (
        ModelRegistry,
        "ModelRegistry('experiments')",
        [
            "model",
            "versions",
            "champion",
            "metric",
            "value",
            "run",
            "ctr",
            "1",
            "1",
            "val_auc",
            "0.7000",
            "run_001",
        ],
    ),
    "version": (
        lambda base: ModelRegistry(base).champion("ctr"),
        "ModelVersion('ctr', 1, run_id='run_001')",
        ["Run", "run_001", "Objective", "val_auc (max)", "Value", "0.7000", "Registered"],
    ),
}


def cells(page: str) -> list[str]:
    return [html.unescape(cell) for cell in re.findall(r"<t[hd] [^>]*>(.*?)</t[hd]>", page)]


@pytest.mark.parametrize("view", VIEWS)
def test_each_has_a_short_line_and_a_plain_table(
    store: Path, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    monkeypatch.chdir(store.parent)
    make, line, first = VIEWS[view]
    thing = make(Path("experiments"))
    assert repr(thing) == line
    page = thing._repr_html_()
    assert cells(page)[: len(first)] == first
    assert set(re.findall(r"<(\w+)", page)) <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    assert not re.search(
        r"https?:|src=|href=|url\(|class=|#[0-9a-f]{3}|rgb|background|color:(?!inherit)", page
    )
    assert not re.search(r"[\x00-\x1f\u202e]", page)


def test_text_of_users_is_shown_as_it_is(store: Path) -> None:
    page = ExperimentTracker(store).record("run_003")._repr_html_()
    assert r"<script>alert('x')</script>&\x1b[31m\u202e\nb" in cells(page)
    assert "<b>=&" in cells(page)
    assert "run_003 of &lt;i&gt;other&lt;/i&gt;" in page


def test_a_long_list_shows_its_first_rows_and_how_many_more_there_are(store: Path) -> None:
    runs = ExperimentTracker(store).search_runs()
    many = RunList([runs[0]] * 70)
    page = many._repr_html_()
    assert page.count("<tr>") == 1 + htmltext.MOST_ROWS
    assert "70 runs" in page
    assert "20 more runs; frame() has all" in page


def test_a_wide_table_and_a_long_text_are_cut(store: Path) -> None:
    page = htmltext.table([f"c{number}" for number in range(40)], [["x" * 500] * 40])
    assert len(cells(page)) == 2 * htmltext.MOST_COLUMNS
    assert "15 more columns" in page
    assert max(map(len, cells(page))) == htmltext.LONGEST


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (ExperimentTracker, "no runs yet"),
        (ModelRegistry, "no models yet"),
        (lambda base: ExperimentTracker(base).search_runs(), "0 runs"),
    ],
)
def test_an_empty_store_has_a_view_and_stays_untouched(
    base: Path, make: Callable[[Path], Any], said: str
) -> None:
    assert said in make(base)._repr_html_()
    assert not base.exists()


def test_a_run_that_was_deleted_keeps_its_line(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        pass
    tracker.delete_run(run.run_id)
    assert run._repr_html_() is None
    assert "run_001" in repr(run)


def test_found_runs_are_a_list_and_give_the_table_that_comparing_them_gives(store: Path) -> None:
    tracker = ExperimentTracker(store)
    runs = tracker.search_runs("experiment == 'ctr_model'", order_by="-lr")
    assert isinstance(runs, list)
    assert [run.run_id for run in runs] == ["run_001", "run_002"]
    ids = [run.run_id for run in runs]
    for options in ({}, {"differing": True}, {"grouped": True}):
        assert runs.frame(**options).equals(tracker.compare_runs(ids, **options))
    assert list(tracker.records().frame()["lr"]) == [1.0, 0.1, 0.01]


def test_a_slice_of_found_runs_has_a_frame_too(store: Path) -> None:
    runs = ExperimentTracker(store).records()
    assert list(runs[1:].frame()["run_id"]) == ["run_002", "run_003"]
    assert runs[0].run_id == "run_001"
    assert type(runs[:1]) is RunList


def test_a_frame_of_nothing_has_the_columns_of_a_comparison(tracker: ExperimentTracker) -> None:
    assert list(tracker.search_runs().frame()) == list(tracker.compare_runs([]))


def test_a_view_of_many_runs_reads_no_history(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *rest, **more: opened.append(str(path)) or real(path, *rest, **more)
    )
    ExperimentTracker(store).search_runs()._repr_html_()
    assert not [path for path in opened if "metrics" in path]


def test_many_runs_are_one_short_line_and_their_table_has_metrics_beside_many_parameters(
    tmp_path: Path,
) -> None:
    tracker = ExperimentTracker(tmp_path)
    for number in range(8):
        params = {f"p{index:02d}": index + number for index in range(30)}
        with tracker.start_run("x", params=params, capture_code=False, capture_output=False) as run:
            run.log({"val_auc": 0.5, "val_loss": 1.0}, step=0)
    found = tracker.search_runs()
    assert len(repr(found)) < 300
    assert repr(found).endswith(", ... 3 more runs]")
    head = re.findall(r"<th [^>]*>([^<]*)", found._repr_html_())
    assert len(head) == htmltext.MOST_COLUMNS
    assert head[-3:] == ["p19", "val_auc", "val_loss"]
    assert "10 more columns" in found._repr_html_()
