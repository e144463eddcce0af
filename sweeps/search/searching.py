"""Make the search that settings ask for."""

import random
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from sweeps.errors import SettingsError
from sweeps.search.decisions import EarlierJob, Search
from sweeps.search.learning import LearningSearch
from sweeps.search.rungs import levels_of
from sweeps.search.searched_space import SearchedSpace, Trial, UnsaidError
from sweeps.search.suggest.suggester import DrawnSuggester, Learned, Loaded, Suggester
from sweeps.settings.search_settings import Mode, Schedule, SearchSettings
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Point, Space
from sweeps.space.conditions import ConfigOf
from tracking.extras import require

if TYPE_CHECKING:  # commands that look at sweeps do not wait for Hydra
    from omegaconf import DictConfig

SHORT, LONG, FEWEST = 20, 10, 5  # jobs that are drawn before a model is asked


def make_search(
    space: Space,
    settings: SearchSettings,
    of_space: SpaceSettings,
    config_of: ConfigOf,
    *,
    first: Sequence[Point] = (),
    earlier: Sequence[EarlierJob] = (),
    config: "DictConfig | None" = None,
) -> Search:
    """Return the search of a space; `first` are the points to begin with, `config` is given to ``space_function``.

    Raise `SettingsError` if the space does not fit the mode or a condition makes no sense, and MissingExtraError if the
    mode needs libraries that are not installed. Loads none of these before the first suggestion that is learned.
    """
    if settings.mode.learns:
        require("search")
    searched = SearchedSpace(space, of_space, config_of, _function(settings, config))
    if not settings.mode.is_listed:  # its points were looked at before
        searched.require_sense(random.Random(settings.seed))  # noqa: S311 - must be reproducible
    suggester = _suggester(searched, settings)
    return LearningSearch(searched, settings, suggester, first=first, earlier=earlier)


def own_points(
    points: Sequence[Point],
    space: Space,
    settings: SearchSettings,
    of_space: SpaceSettings,
    config_of: ConfigOf,
    config: "DictConfig | None" = None,
) -> tuple[Point, ...]:
    """Return points as their search writes them, each once: `x=2`, `x=2.0` and an order of keys make no difference."""
    searched = SearchedSpace(space, of_space, config_of, _function(settings, config))
    return tuple(dict.fromkeys(map(searched.own, points)))


def _function(settings: SearchSettings, config: "DictConfig | None") -> Callable[[Trial], object] | None:
    """Return the function of the user's that draws points; raise `SettingsError` if it cannot be imported."""
    if settings.space_function is None:
        return None
    module, _, name = settings.space_function.rpartition(".")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"space_function={settings.space_function}: cannot be imported: {error}"
        ) from error
    if not callable(function):
        raise SettingsError(f"space_function={settings.space_function}: is no function")

    def drawn(trial: Trial) -> None:
        try:
            function(config, trial)
        except (SettingsError, UnsaidError):
            raise
        except Exception as error:  # a function of the user's may raise anything
            fault = f"{type(error).__name__}: {error}"
            raise SettingsError(f"space_function={settings.space_function}: raised {fault}") from error
        if not trial.lines:
            raise SettingsError(f"space_function={settings.space_function}: draws nothing from its trial")

    return drawn


def _suggester(space: SearchedSpace, settings: SearchSettings) -> Suggester:
    """Return the suggester of a mode; what it needs is loaded when it is first asked."""
    match settings.mode:
        case Mode.TPE:
            return Loaded(space, lambda: _tpe(space, settings), _startup(settings))
        case Mode.GP:
            return Loaded(space, lambda: _gp(space, settings), _startup(settings))
        case Mode.CMAES | Mode.NSGA2:
            return Loaded(space, lambda: _population(space, settings), startup=0)
        case Mode.QMC:
            return Loaded(space, lambda: _sobol(space, settings), startup=0)
    return DrawnSuggester(space)


def _startup(settings: SearchSettings) -> int:
    """Return how many jobs are drawn before a model is asked: more where they are short, at most a third of all.

    A model that begins with few of them may settle where jobs are good early on, and never see the others.
    """
    usual = SHORT if settings.schedule is Schedule.ASHA else LONG
    return usual if settings.n_trials is None else min(usual, max(FEWEST, settings.n_trials // 3))


def _tpe(space: SearchedSpace, settings: SearchSettings) -> Learned:
    from sweeps.search.suggest.studies import TpeSuggester  # loads Optuna

    return TpeSuggester(space, len(settings.objectives))


def _gp(space: SearchedSpace, settings: SearchSettings) -> Learned:
    from sweeps.search.suggest.gaussian import GaussianSuggester  # loads SciPy

    return GaussianSuggester(space, levels_of(settings), settings.max_epochs, len(settings.objectives))


def _population(space: SearchedSpace, settings: SearchSettings) -> Learned:
    from sweeps.search.suggest.populations import PopulationSuggester  # loads Optuna

    objectives = len(settings.objectives)
    return PopulationSuggester(space, settings.mode, objectives, settings.seed, settings.n_trials)


def _sobol(space: SearchedSpace, settings: SearchSettings) -> Learned:
    from sweeps.search.suggest.sobol import SobolSuggester  # loads SciPy

    return SobolSuggester(space, settings.seed)
