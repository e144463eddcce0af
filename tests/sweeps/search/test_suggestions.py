"""Suggestions: they learn from jobs and from earlier sweeps, load what they need when it is needed, and stay silent."""

import math
import statistics
import subprocess
import sys

import pytest
from searched import Driver, bowl, make, numbers

from sweeps.search.decisions import EarlierJob, End, EndKind
from sweeps.search.history import Told
from sweeps.settings.search_settings import Mode, Schedule
from tracking import MissingExtraError

LEARNED = [Mode.TPE, Mode.GP, Mode.CMAES]
MIXED = (
    "x=interval(-1.0,1.0)",
    "y=tag(log,interval(1e-3,1.0))",
    "n=choice(1,2,4,8,16)",
    "kind=a,b,c",
    "one=1,1",
)


def mixed(point: tuple[str, ...], epochs: int) -> float:
    at = numbers(point)
    return bowl(point, epochs) + (math.log2(at["n"]) - 3) ** 2 / 9 + ("kind=b" not in point) * 0.2


@pytest.mark.parametrize("schedule", [Schedule.NONE, Schedule.ASHA])
@pytest.mark.parametrize("mode", LEARNED)
def test_late_points_are_better_than_random_ones(mode: Mode, schedule: Schedule) -> None:
    def losses(mode: Mode) -> list[float]:
        driver = Driver(make(*MIXED, mode=mode, schedule=schedule, n_trials=60), loss=mixed, slots=2).run()
        return [mixed(driver.points[job], 27) for job in range(40, 60)]

    assert statistics.median(losses(mode)) < 0.8 * statistics.median(losses(Mode.RANDOM))


@pytest.mark.parametrize(
    ("schedule", "resumes"), [(Schedule.ASHA, True), (Schedule.ASHA, False), (Schedule.MEDIAN, True)]
)
@pytest.mark.parametrize("mode", LEARNED)
def test_a_search_that_stops_jobs_early_comes_nearer_to_the_best(
    mode: Mode, schedule: Schedule, resumes: bool
) -> None:
    def distances(mode: Mode) -> list[float]:
        given = {"schedule": schedule, "resumes": resumes, "max_epochs": 20, "n_trials": 80}
        search = make("x=interval(-5.0,5.0)", "kind=ask", mode=mode, **given)
        driver = Driver(
            search, loss=lambda point, epochs: (numbers(point)["x"] - 2) ** 2 / (epochs + 1), length=20
        )
        points = driver.run().points
        return [abs(numbers(points[job])["x"] - 2) for job in range(40, 80)]

    assert statistics.median(distances(mode)) < 0.7 * statistics.median(distances(Mode.RANDOM))


def test_points_of_a_sobol_sequence_fill_the_space() -> None:
    driver = Driver(make(mode=Mode.QMC, n_trials=64)).run()
    cells = {
        (int(4 * (at["x"] + 1) / 2), int(4 * math.log(at["y"] / 1e-3, 1e3)))
        for at in map(numbers, driver.points.values())
    }
    assert len(cells) == 16


@pytest.mark.parametrize("mode", [Mode.TPE, Mode.GP])
def test_a_conditional_key_is_learned_where_it_is_set(mode: Mode) -> None:
    def loss(point: tuple[str, ...], epochs: int) -> float:
        return abs(numbers(point).get("x", 0.5) - 0.1) + ("kind=b" not in point) * 0.3

    def late(mode: Mode) -> list[tuple[str, ...]]:
        when = {"when": {"x": "kind == 'b'"}}
        driver = Driver(
            make("kind=a,b", "x=interval(0.0,1.0)", space=when, mode=mode, n_trials=60), loss=loss
        )
        driver.run()
        return [driver.points[job] for job in range(40, len(driver.points))]

    learned = late(mode)
    assert all(("kind=b" in point) == any(line.startswith("x=") for line in point) for point in learned)
    mean = {name: statistics.mean(loss(point, 1) for point in late(name)) for name in (mode, Mode.RANDOM)}
    assert mean[mode] < 0.8 * mean[Mode.RANDOM]


@pytest.mark.parametrize("mode", [Mode.TPE, Mode.GP])
def test_a_function_that_draws_points_is_learned(mode: Mode) -> None:
    search = make("z=1", mode=mode, n_trials=40, space_function="searched.below", config={"high": 1.0})
    driver = Driver(search, loss=lambda point, _: abs(numbers(point)["x"] - 0.2)).run()
    late = [abs(numbers(driver.points[job])["x"] - 0.2) for job in range(25, 40)]
    assert statistics.median(late) < 0.1


@pytest.mark.parametrize("mode", [Mode.TPE, Mode.GP, Mode.NSGA2, Mode.CMAES])
def test_jobs_of_an_earlier_sweep_are_learned_from(mode: Mode) -> None:
    def earlier(x: float, y: float) -> EarlierJob:
        history = tuple((bowl((f"x={x}", f"y={y}"), epochs),) for epochs in range(1, 28))
        return EarlierJob({"x": x, "y": y, "other": 1}, history)

    known = [earlier(-1 + i / 15, 10 ** (-3 * ((7 * i) % 30) / 30)) for i in range(30)]
    known += [EarlierJob({"x": 5.0, "y": 0.1}, ((0.0,),)), EarlierJob({"x": 0.0, "y": 0.5}, failed=True)]
    search = make(mode=mode, schedule=Schedule.ASHA, n_trials=20, earlier=known)
    driver = Driver(search).run()
    assert len(driver.points) == 20
    if mode in {Mode.TPE, Mode.GP}:
        drawn = Driver(make(n_trials=20)).run()
        mean = {
            name: statistics.median(bowl(point, 27) for point in each.points.values())
            for name, each in (("learned", driver), ("drawn", drawn))
        }
        assert mean["learned"] < mean["drawn"]


@pytest.mark.parametrize("mode", [Mode.TPE, Mode.GP])
def test_points_keep_away_from_those_of_jobs_that_run(mode: Mode) -> None:
    driver = Driver(make(mode=mode, n_trials=60)).run(30)
    begun = len(driver.points)
    for _ in range(6):
        driver.begin()
    together = [numbers(driver.points[job]) for job in range(begun, begun + 6)]
    assert len({(round(each["x"], 1), round(math.log10(each["y"]), 1)) for each in together}) >= 4


@pytest.mark.parametrize("mode", [Mode.TPE, Mode.GP])
def test_a_space_of_which_one_key_is_left_is_searched(mode: Mode) -> None:
    search = make("x=interval(0.0,1.0)", "y=0.1", mode=mode, n_trials=15)
    driver = Driver(search, loss=lambda point, _: numbers(point)["x"]).run()
    assert len(driver.points) == 15


def test_a_paused_job_is_told_once_per_rung_and_a_failed_one_at_all() -> None:
    search = make(schedule=Schedule.ASHA, n_trials=3)
    driver = Driver(search)
    driver.begin()
    driver.finish(0)
    driver.begin()
    driver.end(1, End(EndKind.FAILED))
    told = [entry for entry in search._history.entries if isinstance(entry, Told)]  # type: ignore[attr-defined]
    assert [(each.job, each.rung, each.losses is None) for each in told] == [
        (0, 0, False),
        *((1, rung, True) for rung in range(len(search._rungs))),  # type: ignore[attr-defined]
    ]


LOADS = """
import sys
sys.path.insert(0, {tests!r})
from searched import Driver, make
from sweeps.settings.search_settings import Mode
driver = Driver(make(mode=Mode({mode!r}), n_trials=40))
before = {{"numpy", "optuna", "scipy", "torch"}} & set(sys.modules)
driver.run(4)
early = {{"numpy", "optuna", "scipy", "torch"}} & set(sys.modules)
driver.run()
print(sorted(before), sorted(early), sorted({{"optuna", "scipy", "torch"}} & set(sys.modules)))
"""


@pytest.mark.parametrize(("mode", "loaded"), [("tpe", "['optuna']"), ("gp", "['scipy']"), ("random", "[]")])
def test_libraries_are_loaded_by_the_first_suggestion_that_is_learned(mode: str, loaded: str) -> None:
    import searched

    code = LOADS.format(tests=str(__import__("pathlib").Path(searched.__file__).parent), mode=mode)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"[] [] {loaded}"
    assert done.stderr == ""


def test_a_mode_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracking.extras._is_installed", lambda name: name != "optuna")
    with pytest.raises(MissingExtraError, match=r'optuna is not installed; pip install "podium\[search\]"'):
        make(mode=Mode.TPE, n_trials=3)


@pytest.mark.parametrize("mode", [*LEARNED, Mode.NSGA2])
def test_a_search_of_which_all_jobs_fail_goes_on_to_its_end(mode: Mode) -> None:
    driver = Driver(make(mode=mode, schedule=Schedule.ASHA, n_trials=12), loss=lambda *_: None, slots=2).run()
    assert len(driver.points) == 12
    assert driver.search.is_over
