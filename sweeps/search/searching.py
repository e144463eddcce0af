"""Make the search that settings ask for."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from sweeps.errors import SettingsError
from sweeps.search.decisions import EarlierJob, Search
from sweeps.search.learning import LearningSearch
from sweeps.search.rungs import levels_of
from sweeps.search.searched_space import SearchedSpace, Trial
from sweeps.search.suggest.suggester import DrawnSuggester, Loaded, Suggester
from sweeps.settings.search_settings import Mode, SearchSettings
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Point, Space
from sweeps.space.conditions import ConfigOf
from tracking.extras import require

if TYPE_CHECKING:  # commands that look at sweeps do not wait for Hydra
    from omegaconf import DictConfig


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
    suggester = _suggester(searched, settings)
    return LearningSearch(searched, settings, suggester, first=first, earlier=earlier)


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
    return lambda trial: function(config, trial)


def _suggester(space: SearchedSpace, settings: SearchSettings) -> Suggester:
    rungs, objectives = len(levels_of(settings)) + 1, len(settings.objectives)
    match settings.mode:
        case Mode.TPE:
            return Loaded(space, lambda: _tpe(space, rungs, objectives))
    return DrawnSuggester(space)


def _tpe(space: SearchedSpace, rungs: int, objectives: int) -> Suggester:
    from sweeps.search.suggest.studies import TpeSuggester  # loads Optuna

    return TpeSuggester(space, rungs, objectives)
