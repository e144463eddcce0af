"""Each example is run as its page says, in the order in which it says it."""

import importlib.util
import json
import re
import shlex
import shutil
from pathlib import Path

import forked
import pytest
from omegaconf import OmegaConf

from tracking import ExperimentTracker, ModelRegistry, job_context
from tracking.files import read_json
from tracking.process.job_gate import Gate, Verdict
from tracking.records import RunRecord

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def follow(page: Path, folder: Path) -> None:
    """Run the commands and snippets of a page in `folder`; each must succeed."""
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        if language == "python":
            commands = [["python", "-c", text]]
        elif language == "sh":
            commands = [shlex.split(line, comments=True) for line in text.splitlines()]
        else:
            continue
        for program, *arguments in filter(None, commands):
            assert program == "python"
            answer = forked.run(*arguments, kind="trainer", cwd=folder, timeout=280)
            assert answer.returncode == 0, f"{arguments}\n{answer.stdout}{answer.stderr}"


def test_any_hydra_app_is_tracked_isolated_and_ranked(tmp_path: Path) -> None:
    source = EXAMPLES / "track_any_hydra_app"
    assert "tracking" not in (source / "app.py").read_text()
    folder = Path(shutil.copytree(source, tmp_path / "app"))
    follow(folder / "README.md", folder)
    (board,) = folder.glob("experiments/sweeps/*/leaderboard.json")
    rows = read_json(board)["rows"]
    assert [row["status"] for row in rows] == ["completed"] * 6 + ["failed"] * 2
    assert rows[0]["point"]["degree"] == 3
    assert all(row["run"] for row in rows)


def test_an_own_scorer_has_the_gate_promote_what_is_better_and_refuse_what_is_not(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLES / "own_scorer", tmp_path / "app"))
    follow(folder / "README.md", folder)
    registry = ModelRegistry(folder / "experiments")
    verdicts = [registry.verdict("deliveries", version) for version in (1, 2, 3, 4)]
    assert [each and each.promote for each in verdicts] == [True, True, False, False]
    assert [each and (each.facts["look"] or {}).get("number") for each in verdicts] == [None, 1, 2, 1]
    rules = {(rule["rule"], rule["measure"]) for rule in verdicts[1].facts["rules"]} if verdicts[1] else set()
    assert {("not_worse", "late_error"), ("not_worse", "size"), ("slice", "rmse")} <= rules
    assert "orders.csv" in verdicts[3].facts["split"]["name"] if verdicts[3] else False
    shown = re.findall(r"^  - (.*)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert shown
    assert verdicts[2] is not None
    assert set(shown) <= set(verdicts[2].reasons)


def test_jobs_that_a_search_can_pause_run_to_their_end_without_one(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLES / "paused_jobs", tmp_path / "app"))
    follow(folder / "README.md", folder)
    plain, searched = sorted(folder.glob("experiments/sweeps/*"))
    rows = read_json(plain / "leaderboard.json")["rows"]
    assert [row["status"] for row in rows] == ["completed"] * 3
    assert rows[0]["point"]["rate"] == 0.1  # 0.4 overshoots the noise
    rows = read_json(searched / "leaderboard.json")["rows"]
    assert {row["status"] for row in rows} == {"completed", "pruned"}
    assert {row["epochs"] for row in rows if row["status"] == "completed"} == {27}
    events = [json.loads(line) for line in (searched / "jobs.jsonl").read_text().splitlines()]
    assert "resumed" in {event["event"] for event in events}
    assert len({run for event in events if (run := event.get("run")) is not None}) == 12  # one for each job


def test_a_job_of_the_example_that_is_paused_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    config = OmegaConf.load(EXAMPLES / "paused_jobs" / "config.yaml")
    spec = importlib.util.spec_from_file_location("paused_app", EXAMPLES / "paused_jobs" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    tracker = ExperimentTracker(tmp_path / "experiments")

    def attempt(number: int, until: int | None, *previous: str) -> str:
        gate = Gate(("loss",), until, lambda _run, _level: Verdict(False))
        identity = {"sweep": "s", "job": 0, "key": "k", "config_hash": "h", "attempt": number}
        with job_context(**identity, previous=previous, gate=gate), tracker.start_run("app") as run:
            example.app.__wrapped__(config)
        return run.run_id

    def losses(run_id: str) -> list[float]:
        return [point["value"] for point in (tracker.get_run(run_id) or {})["metrics"]["loss"]]

    whole, paused = attempt(1, None), attempt(1, 5)
    assert losses(paused) == losses(whole)[:5]
    assert attempt(2, 11, paused) == attempt(3, None, paused) == paused
    assert losses(paused) == losses(whole)


def test_what_the_page_shows_of_the_config_is_in_the_config() -> None:
    folder = EXAMPLES / "track_any_hydra_app"
    (shown,) = re.findall(
        r"^```yaml\n(.*?)^```", (folder / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    config = (folder / "config.yaml").read_text()
    assert set(shown.splitlines()) <= set(config.splitlines())


def recorded(folder: Path) -> list[RunRecord]:
    return list(ExperimentTracker(folder / "experiments").records())


@pytest.mark.slow
def test_a_schedule_ends_jobs_of_xgboost_after_a_few_rounds(tmp_path: Path) -> None:
    pytest.importorskip("xgboost")
    folder = Path(shutil.copytree(EXAMPLES / "xgboost", tmp_path / "app"))
    follow(folder / "README.md", folder)
    grid, searched = sorted(folder.glob("experiments/sweeps/*"))
    assert [row["status"] for row in read_json(grid / "leaderboard.json")["rows"]] == ["completed"] * 6
    rows = read_json(searched / "leaderboard.json")["rows"]
    assert {row["epochs"] for row in rows if row["status"] == "completed"} == {27}
    assert all(row["epochs"] < 27 for row in rows if row["status"] == "pruned")
    (first, *_) = recorded(folder)
    assert first.params["booster.max_depth"] == first.params["xgboost.max_depth"] == 4


@pytest.mark.slow
def test_lightgbm_logs_each_training_up_to_its_early_stop_and_a_score_after_it(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    folder = Path(shutil.copytree(EXAMPLES / "lightgbm", tmp_path / "app"))
    follow(folder / "README.md", folder)
    runs = recorded(folder)
    assert [(run.experiment_name, run.status.value) for run in runs] == [("biopsies", "completed")] * 3
    assert [run.params["lightgbm.num_leaves"] for run in runs] == [4, 8, 16]
    assert all(10 < run.summary["valid/auc"].count < 200 and "test_auc" in run.summary for run in runs)


@pytest.mark.slow
def test_keras_logs_each_fit(tmp_path: Path) -> None:
    if importlib.util.find_spec("keras") is None:  # an import would choose its backend
        pytest.skip("Keras is not installed; make test-integrations has it")
    folder = Path(shutil.copytree(EXAMPLES / "keras", tmp_path / "app"))
    follow(folder / "README.md", folder)
    runs = recorded(folder)
    assert [(run.experiment_name, run.status.value) for run in runs] == [("digits", "completed")] * 3
    assert [run.params["keras.optimizer.learning_rate"] for run in runs] == [0.001, 0.01, 0.1]
    assert all(run.summary["val_accuracy"].count == 5 for run in runs)


def test_a_search_of_scikit_learn_is_logged_candidate_by_candidate(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    answer = forked.run(str(EXAMPLES / "scikit_learn" / "search.py"), kind="trainer", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    runs = recorded(tmp_path)
    assert [run.experiment_name for run in runs] == ["search"] * 6
    best = max(runs, key=lambda run: run.summary["mean_test_roc_auc"].last)
    assert [run.run_id for run in runs if "best" in run.tags] == [best.run_id]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "needs"),
    [
        ("own_model", None),
        ("own_data", None),
        ("own_loss", None),
        ("own_training_function", None),
        ("scikit_learn", "skops"),
        ("lightning_module", "lightning"),
    ],
)
def test_an_example_of_the_trainer_trains_sweeps_promotes_and_predicts(
    example: str, needs: str | None, tmp_path: Path
) -> None:
    if needs is not None and importlib.util.find_spec(needs) is None:
        pytest.skip(f"needs {needs}")
    folder = Path(shutil.copytree(EXAMPLES / example, tmp_path / example))
    follow(folder / "README.md", folder)
    (board,) = folder.glob("experiments/sweeps/*/leaderboard.json")
    rows = read_json(board)["rows"]
    assert [(row["rank"], row["status"]) for row in rows] == [(1, "completed"), (2, "completed")]
    assert read_json(board.parent / "promotion.json")["promoted"]


@pytest.mark.slow
def test_a_lightning_hydra_project_ends_with_lightnings_metrics_in_the_leaderboard(tmp_path: Path) -> None:
    source = EXAMPLES / "lightning_hydra"
    assert not [file for file in source.glob("src/*.py") if "import tracking" in file.read_text()]
    told = "".join(file.read_text() for file in source.glob("configs/**/*.yaml"))
    shown = re.findall(r"^```yaml\n(.*?)^```", (source / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert set("".join(shown).splitlines()) <= set(told.splitlines())
    folder = Path(shutil.copytree(source, tmp_path / "app"))
    follow(folder / "README.md", folder)
    plain, searched = sorted(folder.glob("experiments/sweeps/*"))
    rows = read_json(plain / "leaderboard.json")["rows"]
    assert [row["status"] for row in rows] == ["completed"] * 3
    logged = {f"{stage}/{name}" for stage in ("train", "val", "test") for name in ("loss", "acc")}
    assert all(set(row["metrics"]) == logged for row in rows)
    assert all(
        row["objective"] == row["metrics"]["val/acc"] for row in rows
    )  # the returned number is the last
    rows = read_json(searched / "leaderboard.json")["rows"]
    assert {row["epochs"] for row in rows if row["status"] == "completed"} == {12}
    assert {row["epochs"] for row in rows if row["status"] == "pruned"} <= {3, 6}
    best = ExperimentTracker(folder / "experiments").record(rows[0]["run"])
    assert best is not None
    assert (best.run_dir / "artifacts" / "checkpoints" / "best.ckpt").exists()


@pytest.mark.slow
def test_the_huggingface_trainer_logs_into_the_runs_of_the_jobs(tmp_path: Path) -> None:
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed; make test-integrations has it")
    folder = Path(shutil.copytree(EXAMPLES / "huggingface", tmp_path / "app"))
    follow(folder / "README.md", folder)
    plain, searched = sorted(folder.glob("experiments/sweeps/*"))
    rows = read_json(plain / "leaderboard.json")["rows"]
    assert [row["status"] for row in rows] == ["completed"] * 3
    assert all(set(row["metrics"]) == {"eval_accuracy", "test_loss", "test_accuracy"} for row in rows)
    rows = read_json(searched / "leaderboard.json")["rows"]
    assert {row["status"] for row in rows} == {"completed", "pruned"}
    assert {row["epochs"] for row in rows if row["status"] == "completed"} == {8}
    assert {row["epochs"] for row in rows if row["status"] == "pruned"} <= {3, 6}


def test_every_example_has_a_page_and_a_test() -> None:
    told = Path(__file__).read_text() + (Path(__file__).parent / "test_notebooks.py").read_text()
    for folder in (each for each in EXAMPLES.iterdir() if each.is_dir()):
        assert (folder / "README.md").exists() or [*folder.glob("*.ipynb")], folder
        assert folder.name in told, folder
