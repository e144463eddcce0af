"""The winner of a sweep is judged by what the ranking read; no run is read a second time."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps import JobStatus, Outcome, aggregate
from sweeps.jobs import PlannedJob
from sweeps.plan.plan import Plan
from sweeps.ranking.aggregate import rank
from sweeps.ranking.promotion import is_decided, promote_winner
from sweeps.settings.sweeper_settings import Promotion
from sweeps.state.code import MEANWHILE
from sweeps.state.ledger import Ledger
from tracking import ExperimentTracker, ModelRegistry, job_context
from tracking.files import read_json, write_json
from tracking.gate import GateSettings
from tracking.gate.rules import Rules

PROMOTION = Promotion("ctr", ("model.bin",), None)


def with_thresholds(**bounds: float) -> GateSettings:
    return GateSettings(rules=Rules(thresholds=bounds))


def make_sweep(store: Path, *fingerprints: str | None, runs: Path | None = None) -> Path:
    """Make a sweep of one job per fingerprint, whose runs may lie elsewhere; the later ones have the better AUC."""
    folder = store / "sweeps" / "mine"
    folder.mkdir(parents=True)
    objective = {"metric": "val_auc", "mode": "max", "at": "best"}
    plan = Plan("mine", "2026-01-31T09:30:00+00:00", ("app.py",), ("x",), objective, None, len(fingerprints))
    plan.save(folder / "plan.json")
    ledger = Ledger(folder / "jobs.jsonl")
    ledger.ask(PlannedJob(n, (), {"x": n}, str(n), str(n)) for n in range(len(fingerprints)))
    for number, fingerprint in enumerate(fingerprints):
        data = None if fingerprint is None else {"fingerprint": fingerprint}
        job = job_context(sweep="mine", job=number, key="k", config_hash="h")
        with job, ExperimentTracker(runs or store).start_run("e", data=data, capture_output=False) as run:
            run.log({"val_auc": 0.5 + number / 10, "val_loss": 2.0}, step=0)
            run.log({"val_auc": 0.4, "val_loss": 1.0}, step=1)
            (run.artifacts_dir / "model.bin").write_bytes(b"weights")
        ledger.finish(
            Outcome(number, JobStatus.COMPLETED, 1.0, runs=(str(run.run_dir) if runs else run.run_id,))
        )
    return folder


def test_the_winner_is_registered_with_the_metrics_of_the_step_it_was_ranked_by(tmp_path: Path) -> None:
    board = aggregate(make_sweep(tmp_path, "d", "d"))
    decision = promote_winner(board, tmp_path, PROMOTION)
    assert (decision.promoted, decision.run) == (True, "run_002")
    champion = ModelRegistry(tmp_path).champion("ctr")
    assert champion is not None
    assert champion.metrics == {"val_auc": 0.6, "val_loss": 2.0}
    assert champion.objective == {"metric": "val_auc", "mode": "max", "at": "best", "value": 0.6, "step": 0}


def repeated(folder: Path, key: str, values: tuple[int, ...], *, seed_key: str | None = None) -> Path:
    """Rewrite a sweep so that its jobs differ in a repeating key, too."""
    path = folder / "plan.json"
    write_json(path, {**read_json(path), "swept": ["x", key], "repeats": [key], "seed_key": seed_key})
    events = [json.loads(line) for line in (folder / "jobs.jsonl").read_text().splitlines()]
    for event in events:
        if event["event"] == "asked":
            event["point"] = {"x": event["job"] // len(values), key: values[event["job"] % len(values)]}
    (folder / "jobs.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder


def test_over_folds_the_best_fold_of_the_best_candidate_competes_with_their_mean(tmp_path: Path) -> None:
    board = aggregate(repeated(make_sweep(tmp_path, *"dddd"), "fold", (0, 1)))
    decision = promote_winner(board, tmp_path, PROMOTION)
    assert (decision.promoted, decision.run) == (True, "run_004")
    champion = ModelRegistry(tmp_path).champion("ctr")
    assert champion is not None
    assert champion.objective["value"] == pytest.approx(0.75)
    assert champion.metrics == {"val_auc": 0.8, "val_loss": 2.0}  # its own, not a mean beside one run's loss
    assert champion.objective["runs"] == ["run_003", "run_004"]
    assert board.winner is not None
    assert board.winner.objective == pytest.approx(0.8)


def test_over_seeds_the_winner_competes_with_its_own_value(tmp_path: Path) -> None:
    board = aggregate(repeated(make_sweep(tmp_path, *"dddd"), "seed", (0, 1), seed_key="seed"))
    assert promote_winner(board, tmp_path, PROMOTION).promoted
    champion = ModelRegistry(tmp_path).champion("ctr")
    assert champion is not None
    assert champion.objective["value"] == pytest.approx(0.8)


@pytest.mark.parametrize("other", ["e", None])
def test_runs_of_different_data_promote_nothing(tmp_path: Path, other: str | None) -> None:
    decision = promote_winner(aggregate(make_sweep(tmp_path, "d", other)), tmp_path, PROMOTION)
    assert not decision.promoted
    assert "its jobs were scored on different data" in decision.reasons[0]


def test_no_run_is_read_after_the_ranking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    record = ExperimentTracker.record
    monkeypatch.setattr(
        ExperimentTracker, "record", lambda self, run_id: read.append(run_id) or record(self, run_id)
    )
    board = aggregate(make_sweep(tmp_path, "d", "d"))
    assert read == ["run_001", "run_002"]
    assert promote_winner(board, tmp_path, PROMOTION).promoted
    assert read == ["run_001", "run_002"]


def test_a_winner_whose_run_lies_in_another_store_is_not_promoted_and_says_why(tmp_path: Path) -> None:
    board = aggregate(make_sweep(tmp_path / "mine", "d", runs=tmp_path / "elsewhere"))
    assert board.winner is not None
    folder = str(tmp_path / "elsewhere" / "runs" / "run_001")
    assert (board.winner.run, board.winner.objective) == (folder, 0.5)
    decision = promote_winner(board, tmp_path / "mine", PROMOTION)
    assert (decision.promoted, decision.run) == (False, folder)
    assert decision.reasons[0].startswith(f"the run of job 0 lies in another store ({folder})")
    assert f"track into {tmp_path / 'mine'}" in decision.reasons[0]


def test_what_a_kill_cut_off_is_completed_once(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "d", "d")
    decision = promote_winner(aggregate(folder), tmp_path, PROMOTION)
    (folder / "promotion.json").unlink()
    (tmp_path / "models" / "ctr" / "aliases.json").write_text("{}")
    assert not is_decided(rank(folder), tmp_path, PROMOTION)
    assert promote_winner(aggregate(folder), tmp_path, PROMOTION) == decision
    assert is_decided(rank(folder), tmp_path, PROMOTION)
    assert read_json(tmp_path / "models" / "ctr" / "aliases.json") == {"champion": 1}
    assert [event.kind for event in ModelRegistry(tmp_path).history("ctr")] == ["registered", "promoted"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"files": ("gone.bin",)}, {}),
        ({"gate": with_thresholds(val_auc=0.9)}, {"gate": with_thresholds(val_auc=0.1)}),
        ({}, {"model_name": "other"}),
    ],
)
def test_a_promotion_that_failed_or_is_asked_for_otherwise_is_decided_again(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    folder = make_sweep(tmp_path, "d", "d")
    first, second = replace(PROMOTION, **before), replace(PROMOTION, **after)
    promoted = promote_winner(aggregate(folder), tmp_path, first).promoted
    assert promoted == (not before)
    assert is_decided(rank(folder), tmp_path, first) == ("files" not in before)
    assert not is_decided(rank(folder), tmp_path, second)
    assert promote_winner(aggregate(folder), tmp_path, second).promoted
    assert is_decided(rank(folder), tmp_path, second)


def test_a_decision_of_an_earlier_version_stands(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "d", "d")
    promote_winner(aggregate(folder), tmp_path, PROMOTION)
    kept = read_json(folder / "promotion.json")
    del kept["gate"]
    write_json(folder / "promotion.json", kept)
    assert is_decided(rank(folder), tmp_path, PROMOTION)


def test_a_decision_about_another_winner_is_none(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "d", "d")
    promote_winner(aggregate(folder), tmp_path, PROMOTION)
    job = job_context(sweep="mine", job=0, key="k", config_hash="h")
    tracker = ExperimentTracker(tmp_path)
    with job, tracker.start_run("e", data={"fingerprint": "d"}, capture_output=False) as run:
        run.log({"val_auc": 0.9, "val_loss": 0.1}, step=0)
        (run.artifacts_dir / "model.bin").write_bytes(b"better")
    Ledger(folder / "jobs.jsonl").finish(Outcome(0, JobStatus.COMPLETED, 1.0, runs=(run.run_id,)))
    assert not is_decided(rank(folder), tmp_path, PROMOTION)
    assert promote_winner(aggregate(folder), tmp_path, PROMOTION).version == 2


def test_a_champion_that_was_taken_back_is_not_promoted_again_by_repeating(tmp_path: Path) -> None:
    first = make_sweep(tmp_path, "d", "d")
    registry = ModelRegistry(tmp_path)
    promote_winner(aggregate(first), tmp_path, PROMOTION)
    other = aggregate(first).rows[1].run
    registry.register(
        "ctr", other, files=("model.bin",), objective={"metric": "val_auc", "mode": "max", "value": 0.5}
    )
    registry.promote("ctr", 2, reason="by hand")
    assert promote_winner(aggregate(first), tmp_path, PROMOTION).promoted  # as it was, by this sweep
    champion = registry.champion("ctr")
    assert champion is not None
    assert champion.version == 2


CHANGED, MIXED = {"lib.py": "0123"}, {"lib.py": MEANWHILE}


@pytest.mark.parametrize(
    ("codes", "promotes"),
    [
        ((None, None), True),
        ((CHANGED, CHANGED), True),
        ((None, CHANGED), False),
        ((CHANGED, None), False),
        ((CHANGED, {"lib.py": "4567"}), False),
        ((MIXED, MIXED), False),
        ((MIXED,), True),
    ],
)
def test_jobs_of_different_code_promote_nothing(
    tmp_path: Path, codes: tuple[dict[str, str] | None, ...], promotes: bool
) -> None:
    folder = make_sweep(tmp_path, *["d"] * len(codes))
    ledger = Ledger(folder / "jobs.jsonl")
    for row, code in zip(sorted(aggregate(folder).rows, key=lambda row: row.job), codes, strict=True):
        ledger.finish(Outcome(row.job, JobStatus.COMPLETED, 1.0, runs=(row.run or "",), code=code))
    decision = promote_winner(aggregate(folder), tmp_path, PROMOTION)
    assert decision.promoted is promotes
    if not promotes:
        assert "its jobs ran on different code" in decision.reasons[0]
        assert "lib.py" in decision.reasons[0]


def test_a_run_that_its_search_stopped_early_can_win_and_be_promoted(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "d", "d")
    run = ExperimentTracker(tmp_path).open_run("run_002")
    run.finish("pruned")
    path = folder / "jobs.jsonl"
    *others, last = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(event) + "\n" for event in [*others, {**last, "status": "pruned"}]))
    decision = promote_winner(aggregate(folder), tmp_path, PROMOTION)
    assert (decision.promoted, decision.run) == (True, "run_002")
    assert ExperimentTracker(tmp_path).record("run_002").status == "pruned"


def test_a_winner_whose_scorer_cannot_be_imported_is_judged_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = aggregate(make_sweep(tmp_path, "d", "d"))
    registry = ModelRegistry(tmp_path)
    registry.register(
        "ctr", "run_001", files=["model.bin"], objective=board.objective.ranked_by | {"value": 0.5}
    )
    registry.promote("ctr", 1, reason="the first")
    promotion = replace(PROMOTION, gate=GateSettings(scorer="late_scorer.score"))
    decision = promote_winner(board, tmp_path, promotion)
    assert (decision.promoted, decision.reasons) == (
        False,
        (
            "the scorer late_scorer.score could not be imported: ModuleNotFoundError: No module named 'late_scorer'",
        ),
    )
    assert [event.kind for event in registry.history("ctr")] == ["registered", "promoted", "registered"]
    assert not is_decided(board, tmp_path, promotion)
    (tmp_path / "late_scorer.py").write_text("def score(folder, split): raise RuntimeError('no rows yet')")
    monkeypatch.syspath_prepend(str(tmp_path))
    decision = promote_winner(board, tmp_path, promotion)
    assert (decision.promoted, decision.version) == (False, 2)
    assert "could not be loaded and scored: RuntimeError: no rows yet" in decision.reasons[0]
    assert is_decided(board, tmp_path, promotion)
