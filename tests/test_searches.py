"""The benchmark of searches: its problems, its simulated workers, its rivals and its table."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.command import main
from benchmarks.searches.main import table
from benchmarks.searches.problems import REFERENCES, TUNED_ON, Surrogate, branin, hartmann6
from benchmarks.searches.rivals import RIVALS
from benchmarks.searches.simulation import Trace, method
from sweeps.settings.search_settings import Mode, Schedule

LCBENCH = Path(os.environ.get("PODIUM_LCBENCH", Path(__file__).parents[2] / "shared" / "data" / "lcbench"))
needs_lcbench = pytest.mark.skipif(not LCBENCH.is_dir(), reason=f"no surrogate in {LCBENCH}")


def test_functions_are_at_their_best_at_the_known_optimum() -> None:
    assert branin().regret(branin().curve({"x": np.pi, "y": 2.275})[0]) == pytest.approx(0, abs=1e-3)
    best = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
    values = {f"x{index}": value for index, value in enumerate(best)}
    assert hartmann6().regret(hartmann6().curve(values)[0]) == pytest.approx(0, abs=1e-2)


def test_the_best_value_counts_in_the_order_in_which_epochs_end() -> None:
    trace = Trace()
    trace.run(0.0, [1.0, 2.0, 9.0])
    trace.run(0.5, [5.0])
    assert [trace.best(epochs) for epochs in (1, 2, 3, 4)] == [1.0, 5.0, 5.0, 9.0]


def test_a_learned_search_finds_more_than_random_points() -> None:
    def found(mode: Mode) -> float:
        run = method(mode, Schedule.NONE)
        return float(
            np.mean([hartmann6().regret(run(hartmann6(), seed, 4, 40).best(40)) for seed in range(2)])
        )

    assert found(Mode.GP) < 0.8 * found(Mode.RANDOM)


def test_the_command_prints_a_table_and_goes_on_from_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PODIUM_LCBENCH", raising=False)
    out = tmp_path / "results.json"
    arguments = [
        "searches",
        "--methods",
        "podium random",
        "--seeds",
        "1",
        "--lengths",
        "2",
        "--json",
        str(out),
    ]
    assert main(arguments) == 0
    assert "| Branin | 4 | podium random | 1 |" in capsys.readouterr().out
    before = out.read_text()
    assert main(arguments) == 0
    assert out.read_text() == before


def test_a_table_tells_tasks_that_settings_were_chosen_on_from_others() -> None:
    results = {f"podium|{task}|4|0": {"regrets": [10.0]} for task in (TUNED_ON[0], "7593")}
    assert {line.split("|")[1].strip() for line in table(results, 1).splitlines()[2:]} == {
        "LCBench",
        "LCBench tuned",
    }


@pytest.mark.needs_data
@needs_lcbench
def test_every_method_runs_on_the_surrogate() -> None:
    surrogate = Surrogate(LCBENCH)
    assert set(json.loads(REFERENCES.read_text())) == set(surrogate.tasks)
    assert set(TUNED_ON) < set(surrogate.tasks)
    problem = surrogate.problem("7593")
    for name, run in RIVALS.items():
        trace = run(problem, 0, 2, 104)
        assert len(trace.values) >= 104, name
        assert trace.best(104) >= trace.best(52)
    trace = method(Mode.RANDOM, Schedule.ASHA)(problem, 0, 2, 208)
    assert trace.best(208) <= problem.best + 5
