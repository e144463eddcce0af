"""Reads the settings of a search from those of the sweeper, and refuses what cannot work before anything starts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.errors import SettingsError
from sweeps.settings.checks import choice, count, quantity, require, shown
from sweeps.settings.search_settings import FEWEST, Constraint, Mode, Schedule, SearchSettings
from tracking import InvalidValueError
from tracking.extras import missing
from tracking.objective import Objective
from tracking.values.units import parse_duration

AUTO = "auto"  # a length that is not known before a job runs
FIRST = 3  # epochs before the first judgement of such a job
HALF = 0.5  # of the jobs: the others are to find what is confirmed
BEGINS_WITH = ("enqueue", "warm_start")  # what given points have no room for
ENDS = ("budget", "target", "patience")
ASKS_FOR_A_SEARCH = (*ENDS, *BEGINS_WITH, "space_function")


def constraints(raw: Sequence[Any]) -> tuple[Constraint, ...]:
    """Return the bounds that metrics must keep; raise SettingsError for one that cannot be read."""
    try:
        return tuple(Constraint.parse(str(text)) for text in raw)
    except InvalidValueError as error:
        raise SettingsError(f"constraints: {error}") from None


def search_settings(
    raw: Mapping[str, Any], mode: Mode, objectives: tuple[Objective, ...]
) -> SearchSettings | None:
    """Return how a sweep searches; None if its points are known at its start and each of its jobs runs to its end.

    Raise `SettingsError` for values that cannot work, alone or together.
    """
    schedule = choice("schedule", raw["schedule"], Schedule)
    confirm = _confirm(raw["confirm"])
    confirms = (
        ["confirm"] if confirm not in (0.0, SearchSettings.confirm) else []
    )  # which is said, not the default
    given = [*(name for name in ASKS_FOR_A_SEARCH if raw[name]), *confirms]
    if not (mode.learns or schedule is not Schedule.NONE or (given and mode is Mode.RANDOM)):
        if given:
            raise SettingsError(
                f"{given[0]}={shown(given[0], raw[given[0]])}: is for a search; this is mode={mode} with schedule=none"
            )
        return None
    budget_epochs, budget_s = _budget(raw["budget"])
    min_epochs, max_epochs = _lengths(raw)
    settings = SearchSettings(
        mode=mode,
        schedule=schedule,
        objectives=objectives,
        seed=raw["seed"],
        n_trials=raw["n_trials"],
        budget_epochs=budget_epochs,
        budget_s=budget_s,
        target=raw["target"],
        patience=None if raw["patience"] is None else count("patience", raw["patience"], least=1),
        min_epochs=min_epochs,
        max_epochs=max_epochs,
        eta=float(raw["eta"]),
        resumes=raw["resumes"],
        confirm=0.0 if mode.is_listed else confirm,
        constraints=constraints(raw["constraints"]),
        enqueue=raw["enqueue"] if isinstance(raw["enqueue"], str) else tuple(raw["enqueue"] or ()),
        enqueue_defaults=raw["enqueue_defaults"],
        warm_start=raw["warm_start"],
        space_function=raw["space_function"],
    )
    _require_an_end(settings)
    _require_parts_that_fit(settings, raw, given)
    _require_rungs(settings)
    return settings


def _lengths(raw: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Return the epochs of the first judgement and of a whole job; a length of auto is None and begins at `FIRST`."""
    least, most = raw["min_epochs"], raw["max_epochs"]
    if least is not None:
        count("min_epochs", least, least=1)
    if most == AUTO:
        return least or FIRST, None
    is_length = most is None or (isinstance(most, int) and not isinstance(most, bool) and most >= 1)
    require(is_length, "max_epochs", most, "is a whole number, 1 or more, or auto if the length is not known")
    return least, most


def _budget(raw: int | str | None) -> tuple[int | None, float | None]:
    """Return the epochs or the seconds that a budget allows: a whole number counts epochs, a duration has a unit."""
    if raw is None or (isinstance(raw, int) and not isinstance(raw, bool)):
        return None if raw is None else count("budget", raw, least=1), None
    try:
        return None, quantity("budget", str(raw), lambda text: parse_duration(text, needs_unit=True))
    except SettingsError:
        allowed = "are epochs of all jobs together (400), or a time: 90s, 30m, 2h"
        require(can_work=False, key="budget", value=raw, allowed=allowed)
        raise


def _confirm(raw: float | str) -> float:
    """Return a share below 1 or a count, from 10%, 0.1 or 4."""
    text = str(raw).strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    is_share = 0 <= share < HALF
    is_count = share >= FEWEST and share == int(share) and not text.endswith("%")
    allowed = (
        f"is a share of the jobs below 50% (10%, 0.1), or their number ({FEWEST}, 3, ...); 0 confirms none"
    )
    require(is_share or is_count, "confirm", raw, allowed)
    return share


def _require_an_end(settings: SearchSettings) -> None:
    ends = (settings.n_trials, settings.budget_epochs, settings.budget_s, settings.patience)
    if not settings.mode.is_listed and all(each is None for each in ends):
        what = (
            f"mode={settings.mode}"
            if settings.mode.learns
            else f"mode=random with schedule={settings.schedule}"
        )
        raise SettingsError(f"{what}: needs an end: set n_trials, the number of jobs, or budget or patience")
    n_trials, confirm = settings.n_trials, settings.confirm
    if n_trials is not None and confirm >= FEWEST and confirm >= HALF * n_trials:
        raise SettingsError(f"confirm={confirm:g}: allowed is less than half of n_trials={n_trials}")
    require(
        settings.target is None or math.isfinite(settings.target),
        "target",
        settings.target,
        "is a finite number",
    )


def _require_parts_that_fit(settings: SearchSettings, raw: Mapping[str, Any], given: Sequence[str]) -> None:
    """Raise SettingsError for settings that exclude each other, and for an extra that is not installed."""
    mode = settings.mode
    if mode.is_listed:
        for name in given:
            raise SettingsError(
                f"{name}={shown(name, raw[name])}: mode={mode} has its points already; allowed with "
                "mode=tpe, gp, cmaes, nsga2, qmc or random"
            )
    elif raw["repeat"] > 1:
        raise SettingsError(
            f"repeat={raw['repeat']}: a search repeats only its best points, with new seeds; set confirm to their share"
        )
    for name, instead in (("reuse", "; warm_start learns from an earlier sweep"), ("resume_failed", "")):
        if raw[name]:
            raise SettingsError(
                f"{name}=true: a search decides by itself what runs again; allowed is false{instead}"
            )
    if mode is Mode.CMAES and len(settings.objectives) > 1:
        raise SettingsError(
            "mode=cmaes: has one objective; allowed for several are tpe, gp, nsga2, qmc or random"
        )
    absent = missing("search") if mode.learns else None
    if absent is not None:
        raise SettingsError(f"mode={mode}: {absent}")


def _require_rungs(settings: SearchSettings) -> None:
    require(
        1 < settings.eta < math.inf,
        "eta",
        settings.eta,
        "is a number above 1: a rung keeps one job of so many",
    )
    schedule, least, most = settings.schedule, settings.min_epochs, settings.max_epochs
    if least is not None and most is not None and least > most:
        raise SettingsError(f"min_epochs={least}: allowed is at most max_epochs={most}")
    if schedule is Schedule.NONE:
        return
    if settings.objectives[0].metric is None:
        raise SettingsError(
            f"schedule={schedule}: needs objective.metric, the logged metric by which jobs are judged before they end"
        )
    if least is None and most is None:
        raise SettingsError(
            f"schedule={schedule}: needs max_epochs, how many values of {settings.objectives[0].label} a whole job logs, "
            "or min_epochs, after how many the first judgement is"
        )
