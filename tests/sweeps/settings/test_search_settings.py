"""The settings of a search: what is read, and what is refused before the first job."""

import math
from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hypothesis import given
from hypothesis import strategies as st

from hydra_plugins.podium.versions import current_defaults
from sweeps import SettingsError
from sweeps.settings import search_reading
from sweeps.settings.reading import sweeper_settings
from sweeps.settings.search_settings import Constraint, Mode, Schedule, SearchSettings
from tracking import InvalidValueError

CONFIG = """
defaults:
  - override hydra/sweeper: podium
  - override hydra/launcher: podium
  - _self_

seed: 0
hydra: {sweeper: {objective: {metric: val_auc}}}
"""


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigLoader]:
    folder = tmp_path_factory.mktemp("conf")
    (folder / "config.yaml").write_text(CONFIG)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


def read(loader: ConfigLoader, *overrides: str) -> SearchSettings | None:
    lines = [f"hydra.sweeper.{override}" for override in overrides]
    return sweeper_settings(loader.load_configuration("config", lines, RunMode.MULTIRUN)).search


def read_search(loader: ConfigLoader, *overrides: str) -> SearchSettings:
    settings = read(loader, *overrides)
    assert settings is not None
    return settings


@pytest.mark.parametrize("mode", ["grid", "zip", "list", "random"])
def test_a_sweep_whose_jobs_all_run_to_their_end_is_no_search(loader: ConfigLoader, mode: str) -> None:
    assert read(loader, f"mode={mode}") is None


@pytest.mark.parametrize(
    ("overrides", "mode", "schedule"),
    [
        (("mode=tpe", "n_trials=8"), Mode.TPE, Schedule.NONE),
        (("mode=random", "n_trials=8", "schedule=asha", "max_epochs=9"), Mode.RANDOM, Schedule.ASHA),
        (("mode=random", "budget=90", "n_trials=8"), Mode.RANDOM, Schedule.NONE),
        (("mode=random", "confirm=2", "n_trials=8"), Mode.RANDOM, Schedule.NONE),
        (("mode=grid", "schedule=median", "min_epochs=1"), Mode.GRID, Schedule.MEDIAN),
    ],
)
def test_a_mode_that_learns_and_a_schedule_make_a_search(
    loader: ConfigLoader, overrides: tuple[str, ...], mode: Mode, schedule: Schedule
) -> None:
    settings = read_search(loader, *overrides)
    assert (settings.mode, settings.schedule) == (mode, schedule)
    assert settings.objectives[0].metric == "val_auc"


@pytest.mark.parametrize("confirm", [(), ("confirm=0",), ("confirm=10%",), ("confirm=0.1",)])
def test_the_points_of_a_grid_are_not_confirmed(loader: ConfigLoader, confirm: tuple[str, ...]) -> None:
    assert read_search(loader, "schedule=asha", "max_epochs=9", *confirm).confirm == 0


@pytest.mark.parametrize(
    ("budget", "epochs", "seconds"), [("400", 400, None), ("2h", None, 7200.0), ("1h30m", None, 5400.0)]
)
def test_a_budget_is_epochs_or_a_time(
    loader: ConfigLoader, budget: str, epochs: int | None, seconds: float | None
) -> None:
    settings = read_search(loader, "mode=tpe", f"budget={budget}")
    assert (settings.budget_epochs, settings.budget_s) == (epochs, seconds)


@pytest.mark.parametrize(
    ("confirm", "of_forty"),
    [("10%", 4), ("0.25", 10), ("3", 3), ("0", 0), ("19", 19), ("2.5%", 2), ("1%", 2)],
)
def test_a_share_or_a_number_of_the_jobs_confirms_the_best(
    loader: ConfigLoader, confirm: str, of_forty: int
) -> None:
    settings = read_search(loader, "mode=tpe", "n_trials=40", f"confirm={confirm}")
    assert settings.confirmations(40) == of_forty


@pytest.mark.parametrize(
    ("n_trials", "confirming"), [(4, 0), (9, 0), (10, 2), (19, 2), (20, 2), (30, 3), (100, 10)]
)
def test_a_search_of_few_jobs_confirms_none_and_no_search_confirms_one(
    loader: ConfigLoader, n_trials: int, confirming: int
) -> None:
    settings = read_search(loader, "mode=tpe", f"n_trials={n_trials}")
    assert settings.confirmations(n_trials) == confirming


@pytest.mark.parametrize(
    ("overrides", "least", "most"),
    [
        (("max_epochs=50",), None, 50),
        (("min_epochs=3",), 3, None),
        (("max_epochs=auto",), 3, None),
        (("max_epochs=auto", "min_epochs=5"), 5, None),
    ],
)
def test_a_length_may_be_unknown_if_the_first_judgement_is_not(
    loader: ConfigLoader, overrides: tuple[str, ...], least: int | None, most: int | None
) -> None:
    settings = read_search(loader, "mode=random", "n_trials=9", "schedule=asha", *overrides)
    assert (settings.min_epochs, settings.max_epochs) == (least, most)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("mode=tpee", "mode=tpee: allowed are grid, zip, random, list, tpe, gp, cmaes, nsga2, qmc"),
        ("schedule=hyperband", "schedule=hyperband: allowed are none, asha, median"),
        ("mode=tpe", "mode=tpe: needs an end: set n_trials"),
        ("mode=tpe target=1", "mode=tpe: needs an end"),
        ("mode=random schedule=asha max_epochs=9", "mode=random with schedule=asha: needs an end"),
        ("mode=tpe n_trials=9 schedule=asha", "schedule=asha: needs max_epochs, how many values of val_auc"),
        (
            "mode=tpe n_trials=9 schedule=asha max_epochs=9 objective.metric=null",
            "schedule=asha: needs objective.metric",
        ),
        ("mode=tpe n_trials=9 eta=1", "eta=1.0: allowed is a number above 1"),
        ("mode=tpe n_trials=9 min_epochs=0", "min_epochs=0: allowed is a whole number, 1 or more"),
        ("mode=tpe n_trials=9 max_epochs=0", "max_epochs=0: allowed is a whole number, 1 or more, or auto"),
        ("mode=tpe n_trials=9 max_epochs=many", "max_epochs=many: allowed is a whole number"),
        ("mode=tpe n_trials=9 max_epochs=3 min_epochs=4", "min_epochs=4: allowed is at most max_epochs=3"),
        ("mode=tpe n_trials=9 confirm=150%", "confirm=150%: allowed is a share of the jobs below 50%"),
        ("mode=tpe n_trials=9 confirm=50%", "confirm=50%: allowed is a share of the jobs below 50%"),
        ("mode=tpe n_trials=9 confirm=1", r"confirm=1: allowed .* their number \(2, 3, ...\)"),
        ("mode=tpe n_trials=9 confirm=5", "confirm=5: allowed is less than half of n_trials=9"),
        ("mode=tpe n_trials=9 confirm=-1", "confirm=-1: allowed"),
        ("mode=tpe n_trials=9 confirm=2.5", "confirm=2.5: allowed"),
        ("mode=tpe n_trials=9 confirm=some", "confirm=some: allowed"),
        ("mode=tpe n_trials=0", "n_trials=0: allowed"),
        ("mode=tpe budget=0", "budget=0: allowed"),
        ("mode=tpe budget=soon", "budget=soon: allowed are epochs of all jobs together"),
        ("mode=tpe budget=true", "budget=True: allowed are epochs"),
        ("mode=tpe patience=0", "patience=0: allowed"),
        ("mode=tpe n_trials=9 target=nan", "target=nan: allowed is a finite number"),
        ("mode=tpe n_trials=9 repeat=2", "repeat=2: a search repeats only its best points"),
        ("mode=tpe n_trials=9 reuse=true", "reuse=true: a search decides .*warm_start"),
        ("mode=tpe n_trials=9 resume_failed=true", "resume_failed=true: a search decides"),
        ("mode=grid target=1", "target=1.0: is for a search; this is mode=grid with schedule=none"),
        ("mode=grid confirm=2", "confirm=2: is for a search; this is mode=grid with schedule=none"),
        ("mode=list points=[{x:1}] confirm=20%", "confirm=20%: is for a search; this is mode=list"),
        ("schedule=asha max_epochs=9 confirm=2", "confirm=2: mode=grid has its points already"),
        ("mode=grid confirm=150%", "confirm=150%: allowed is a share of the jobs below 50%"),
        ("mode=grid n_trials=1", "n_trials=1: is for mode=random and for searches; this is mode=grid"),
        (
            "mode=grid schedule=asha max_epochs=9 warm_start=s",
            "warm_start=s: mode=grid has its points already",
        ),
        ("mode=tpe n_trials=9 constraints=['loss=3']", "constraints: loss=3: allowed is a metric, <= or >="),
    ],
)
def test_a_search_that_cannot_work_is_refused(loader: ConfigLoader, overrides: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read(loader, *overrides.split())


@pytest.mark.parametrize("mode", ["tpe", "gp", "cmaes", "nsga2", "qmc"])
def test_a_mode_whose_packages_are_absent_says_how_to_install_them(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    said = 'optuna is not installed; pip install "podium[search]" installs it'
    monkeypatch.setattr(search_reading, "missing", lambda _extra: said)
    with pytest.raises(SettingsError, match=f"mode={mode}: optuna is not installed; pip install"):
        read(loader, f"mode={mode}", "n_trials=9")
    assert read(loader, "mode=random", "n_trials=9", "schedule=asha", "max_epochs=9") is not None


NUMBERS = st.floats(-1e9, 1e9)


@given(NUMBERS, NUMBERS, st.sampled_from(["<=", ">="]))
def test_a_value_breaks_a_bound_by_how_far_it_is_beyond(value: float, bound: float, sign: str) -> None:
    constraint = Constraint.parse(f"val/loss {sign}{bound!r}")
    assert (constraint.metric, constraint.sign, constraint.bound) == ("val/loss", sign, bound)
    keeps = value <= bound if sign == "<=" else value >= bound
    assert (constraint.violation(value) <= 0) == keeps
    assert abs(constraint.violation(value)) == abs(value - bound)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_breaks_every_bound(value: float | None) -> None:
    assert Constraint.parse("loss <= 1").violation(value) == math.inf


@pytest.mark.parametrize("text", ["", "loss", "loss < 3", "<= 3", "loss <= x", "loss <= nan", "loss <= inf"])
def test_a_bound_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="allowed is a metric"):
        Constraint.parse(text)
