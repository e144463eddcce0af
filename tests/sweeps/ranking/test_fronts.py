"""Several objectives: jobs rank in fronts, the first objective decides within one, and who is promoted."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import write_sweep

from sweeps import aggregate
from sweeps.display.tables import show_leaderboard
from sweeps.errors import ObjectiveError
from sweeps.ranking.aggregate import rank
from sweeps.ranking.exit_errors import require_ranked
from sweeps.ranking.fronts import fronts
from sweeps.ranking.leaderboard import as_plain
from sweeps.ranking.promotion import promote_winner
from sweeps.settings.sweeper_settings import Promotion
from tracking import ExperimentTracker, job_context
from tracking.objective import Objective

AUC, MS = Objective.of("auc"), Objective.of("ms", "min")
OBJECTIVE = {
    "metric": "auc",
    "mode": "max",
    "at": "best",
    "others": [{"metric": "ms", "mode": "min", "at": "best"}],
}
PAIRS = ((0.8, 9.0), (0.9, 20.0), (0.7, 9.0), (0.7, 3.0), (0.85, 30.0))


@dataclass(frozen=True)
class Item:
    values: tuple[float | None, ...]


def sweep_of(store: Path, pairs: Sequence[tuple[Any, Any]], **plan: Any) -> Path:
    values = {
        job: {
            "value": {
                name: value for name, value in zip(("auc", "ms"), pair, strict=True) if value is not None
            }
        }
        for job, pair in enumerate(pairs)
    }
    points = plan.pop("points", [{"x": job} for job in range(len(pairs))])
    return write_sweep(store, points, outcomes=values, **({"objective": OBJECTIVE} | plan))


def dominates(one: Item, other: Item, objectives: Sequence[Objective]) -> bool:
    pairs = list(zip(objectives, one.values, other.values, strict=True))
    return not any(each.better(b, a) for each, a, b in pairs) and any(
        each.better(a, b) for each, a, b in pairs
    )


@given(
    values=st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 3), max_size=25),
    objectives=st.sampled_from([(AUC,), (AUC, MS), (MS, AUC), (AUC, MS, Objective.of("loss"))]),
)
def test_a_front_is_what_only_earlier_fronts_dominate(
    values: list[tuple[float, ...]], objectives: tuple[Objective, ...]
) -> None:
    items = [Item(each[: len(objectives)]) for each in values]
    found = fronts(items, objectives)
    left = list(items)
    for front in found:
        keys = [objectives[0].key(each.values[0]) for each in front]
        assert keys == sorted(keys)
        if len(objectives) == 1:
            expected = [min(left, key=lambda each: objectives[0].key(each.values[0]))]
        else:
            expected = [each for each in left if not any(dominates(o, each, objectives) for o in left)]
        assert sorted(map(id, front)) == sorted(map(id, expected))
        left = [each for each in left if not any(each is one for one in front)]
    assert left == []


def test_the_pareto_front_has_rank_1_and_comes_first_by_the_first_objective(tmp_path: Path) -> None:
    board = rank(sweep_of(tmp_path, PAIRS))
    assert [(row.rank, row.job, row.objective, row.others) for row in board.rows] == [
        (1, 1, 0.9, {"ms": 20.0}),
        (1, 0, 0.8, {"ms": 9.0}),
        (1, 3, 0.7, {"ms": 3.0}),
        (2, 4, 0.85, {"ms": 30.0}),
        (2, 2, 0.7, {"ms": 9.0}),
    ]
    assert board.winner is not None
    assert (board.winner.job, board.front) == (1, 3)


@pytest.mark.parametrize(("lacking", "why"), [(None, "no finite ms to rank by"), (math.nan, "ms is nan")])
def test_a_job_without_a_value_of_each_objective_has_no_rank(
    tmp_path: Path, lacking: float | None, why: str
) -> None:
    board = rank(sweep_of(tmp_path, [(0.9, lacking if lacking is None else str(lacking)), (0.5, 3.0)]))
    assert [(row.job, row.rank, row.error) for row in board.rows] == [(1, 1, None), (0, None, why)]


def test_an_objective_that_no_job_has_is_an_error(tmp_path: Path) -> None:
    board = rank(sweep_of(tmp_path, [(0.9, None), (0.5, None)]))
    with pytest.raises(
        ObjectiveError, match=r"objective\.metric=ms: none of 2 completed jobs has a finite one"
    ):
        require_ranked(board, promotes=False)


def test_a_single_returned_number_is_the_first_objective_alone(tmp_path: Path) -> None:
    board = rank(sweep_of(tmp_path, [(0.9, 3.0)]))
    number = rank(
        write_sweep(tmp_path, [{"x": 0}], name="s1", outcomes={0: {"value": 0.9}}, objective=OBJECTIVE)
    )
    assert board.rows[0].others == {"ms": 3.0}
    assert (number.rows[0].objective, number.rows[0].others) == (0.9, {"ms": None})


def test_the_files_and_the_screen_have_a_column_per_objective(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sweep_of(tmp_path, PAIRS)
    board = aggregate(folder)
    rows = list(csv.DictReader(io.StringIO((folder / "leaderboard.csv").read_text())))
    assert [(row["rank"], row["auc"], row["ms"]) for row in rows[:2]] == [
        ("1", "0.9", "20.0"),
        ("1", "0.8", "9.0"),
    ]
    page = (folder / "leaderboard.md").read_text()
    assert "Ranked by the best auc (max) and the best ms (min)." in page
    assert "Rank 1 is the Pareto front" in page
    written = json.loads((folder / "leaderboard.json").read_text())
    assert written["objective"] == OBJECTIVE
    assert written["rows"][0]["others"] == {"ms": 20.0}
    show_leaderboard(board, folder)
    shown = capsys.readouterr().out
    assert "by the best auc and the best ms" in shown
    assert "rank 1 is the Pareto front" in shown
    assert "ms (min)" in shown


def test_a_leaderboard_of_one_objective_has_no_keys_of_several(tmp_path: Path) -> None:
    plain = as_plain(rank(write_sweep(tmp_path, [{"x": 0, "seed": 0}], repeats=["seed"], seed_key="seed")))
    assert plain["objective"] == {"metric": "val_auc", "mode": "max", "at": "best"}
    assert {"others", "is_feasible"}.isdisjoint(plain["rows"][0])
    assert {"others", "others_std", "is_feasible", "note"}.isdisjoint(plain["candidates"][0])
    assert "constraints" not in plain


def test_candidates_rank_in_fronts_of_their_means(tmp_path: Path) -> None:
    pairs = [(0.9, 10.0), (0.7, 30.0), (0.8, 5.0), (0.78, 7.0), (0.7, 40.0), (0.7, 40.0)]
    points = [{"x": job // 2, "seed": job % 2} for job in range(6)]
    folder = sweep_of(tmp_path, pairs, points=points, repeats=["seed"], seed_key="seed")
    board = aggregate(folder)
    found = [(each.rank, each.jobs, each.objective, each.others) for each in board.candidates]
    assert [(rank, jobs) for rank, jobs, *_ in found] == [(1, (0, 1)), (1, (2, 3)), (2, (4, 5))]
    assert found[0][2:] == (pytest.approx(0.8), {"ms": 20.0})
    assert found[1][2:] == (pytest.approx(0.79), {"ms": 6.0})
    assert [row.job for row in board.rows] == [0, 1, 2, 3, 4, 5]
    head = (folder / "leaderboard.csv").read_text().splitlines()[0]
    assert head == "rank,x,auc,auc_std,ms,ms_std,n,jobs,error"


def test_the_best_of_the_front_by_the_first_objective_is_promoted_and_told_so(tmp_path: Path) -> None:
    folder = sweep_of(tmp_path, PAIRS[:3])
    events = []
    for line in (folder / "jobs.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "finished":
            job = job_context(sweep=folder.name, job=event["job"], key="k", config_hash="h")
            with job, ExperimentTracker(tmp_path).start_run("e", capture_output=False) as run:
                run.log(event["value"])
                (run.artifacts_dir / "model.bin").write_bytes(b"weights")
            event["runs"] = [run.run_id]
        events.append(json.dumps(event) + "\n")
    (folder / "jobs.jsonl").write_text("".join(events))
    decision = promote_winner(aggregate(folder), tmp_path, Promotion("m", ("model.bin",), None))
    assert (decision.promoted, decision.run) == (True, "run_002")
    assert decision.reasons[-1] == "the best by auc of 2 on the Pareto front by auc and ms"
