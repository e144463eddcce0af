"""A sweep from start to end: plan, run, rank, promote.

A config that cannot work is refused before the first job starts. After that, the completed jobs are always ranked.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, flag_override

from sweeps.display.json_events import Write
from sweeps.display.preview import tell_plan
from sweeps.display.progress import make_progress, stdout_for
from sweeps.display.scoreboard import Scoreboard
from sweeps.driving.driver import Guide
from sweeps.driving.guiding import PreparedSearch, described, outlook, prepared_search, with_seeds
from sweeps.errors import SettingsError, SweepError
from sweeps.executor.code_watch import CodeWatch
from sweeps.executor.contract import Executor
from sweeps.executor.engines.choosing import chosen_executor
from sweeps.executor.local.child import with_callback
from sweeps.executor.local.main_script import sweep_starts
from sweeps.executor.local.program import Common
from sweeps.executor.ranks import job_of_this_rank, run_rank
from sweeps.executor.stock import StockExecutor
from sweeps.paths import JOB_FOLDERS, abandon, claim
from sweeps.plan.compose import Composer
from sweeps.plan.grouping import grouping
from sweeps.plan.hashing import computed_from
from sweeps.plan.plan import Plan, make_plan
from sweeps.plan.planner import Planner
from sweeps.ranking.exit_errors import resumable
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.search.decisions import NewJob
from sweeps.session import Session
from sweeps.settings.addresses import without_addresses
from sweeps.settings.launcher_settings import LauncherSettings
from sweeps.settings.reading import launcher_settings, sweeper_settings
from sweeps.settings.sections import LAUNCHER, is_ours
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.space import Space, expand, read_space
from sweeps.state.code import code_root, code_state, late_state
from sweeps.state.job_runs import JobRuns
from sweeps.state.lock import locked
from sweeps.state.origin import signed
from sweeps.state.resume import NOTHING, Resumed, recorded_jobs, resumed_folder, swept_before, take_over
from tracking import TrackingError
from tracking.files import write_bytes

PREVIEWED = 4  # jobs of a search that a preview shows at least


def run(
    hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig, arguments: Sequence[str]
) -> Leaderboard | None:
    """Run the sweep that `config` and the overrides in `arguments` describe; return its leaderboard.

    With ``dry_run``, show the jobs, start nothing, write nothing and return None. Raise `SettingsError` before
    anything starts; after the ranking, raise `SweepInterruptedError` if a signal stopped the sweep, `ObjectiveError`
    if no job logged the objective that was asked for, and `JobsFailedError` if more jobs failed than ``max_failures`` tolerates.
    """
    job = job_of_this_rank()
    if job is not None:
        run_rank(hydra_context, task_function, config, job)
        return None
    sweep_starts()
    settings = sweeper_settings(config)
    arguments, settings = without_addresses(config, arguments, settings)
    with stdout_for(settings.output) as write:
        try:
            return _run(hydra_context, task_function, config, arguments, settings, write)
        except TrackingError as error:  # such as a store that is full
            raise SweepError(str(error)) from error
        except OSError as error:
            where = "" if error.filename else f"; its store is {settings.store.absolute()}"
            raise SweepError(f"the sweep cannot go on: {error}{where}") from error


def _run(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    arguments: Sequence[str],
    settings: SweeperSettings,
    write: Write | None,
) -> Leaderboard | None:
    launcher = launcher_settings(config)
    space = read_space(settings.space, arguments, hydra_context.config_loader, swept_before(settings))
    settings, swept, seed_line = _seeded(settings, space)
    if settings.dry_run:
        _preview(hydra_context, config, settings, launcher, space, swept=swept, write=write)
        return None
    sweep_dir = claim(settings.store, settings.name) if settings.resume is None else resumed_folder(settings)
    with resumable(sweep_dir), locked(sweep_dir), ExitStack() as closing, ExitStack() as planning:
        if settings.resume is None:
            planning.callback(abandon, sweep_dir)
        _place(config, sweep_dir)
        objective = settings.ranked_by(swept)
        executor = _executor(
            hydra_context, task_function, config, settings, sweep_dir, objective=objective, closing=closing
        )
        planned = _planned(hydra_context, config, settings, launcher, space, sweep_dir=sweep_dir)
        planner = planned.planner
        plan = make_plan(
            sweep_dir.name,
            settings,
            planned.swept(swept),
            planner.total if settings.search is None else None,
            arguments=arguments,
            config=computed_from(config, settings.key_ignores),
            search=None if settings.search is None else described(settings.search, space),
        )
        plan = replace(plan, left=tuple(planner.left), **_code(task_function))
        earlier = NOTHING
        if settings.resume is None:
            signed(plan).save(sweep_dir / "plan.json")
            write_bytes(sweep_dir / "multirun.yaml", OmegaConf.to_yaml(config).encode())
        else:
            plan, earlier = take_over(sweep_dir, plan, planner.planned(), settings, signed)
        planning.pop_all()
        guide = None
        if planned.search is not None:
            guide = planned.search.guide(sweep_dir, planner.points, seed_line, earlier.wall_s)
        session = _session(
            settings if planned.search is None else replace(settings, search=planned.search.settings),
            plan,
            planned,
            earlier,
            executor=executor,
            slots=launcher.slots,
            write=write,
            guide=guide,
        )
        session.tell_notes()
        session.take_note()
        with session.alerts:
            return session.run() if session.has_jobs else session.conclude()


def _code(task_function: TaskFunction) -> dict[str, Any]:
    """Return what the plan keeps of the code that jobs run."""
    code = code_state(task_function)
    return {"code": code, "late_code": late_state(task_function, code or {})}


def _seeded(
    settings: SweeperSettings, space: Space
) -> tuple[SweeperSettings, tuple[str, ...], Callable[[int], str] | None]:
    """Return the settings, the swept keys, with that of the seed if jobs repeat others, and the override of a seed."""
    settings, seed_line, notes = with_seeds(settings, space)
    has_seeds = settings.space.repeat > 1 or seed_line is not None
    swept = (*space.swept, *([settings.space.seed_key] if has_seeds else ()))
    return replace(settings, remarks=(*settings.remarks, *notes)), swept, seed_line


def _session(
    settings: SweeperSettings,
    plan: Plan,
    planned: "_Planned",
    earlier: Resumed,
    *,
    executor: Executor,
    slots: int,
    write: Write | None,
    guide: Guide | None,
) -> Session:
    """Return the session that runs a planned sweep, and show what is to be said of it."""
    planner, store = planned.planner, settings.store
    # What left the space and never ended is in the leaderboard alone.
    on_board = planner.points.keys() | earlier.kept.keys()
    jobs = [job for job in planner.planned() if job.number in on_board]
    board = Scoreboard.of_store(
        store, jobs, plan.swept, settings.objective, slots=slots, search=settings.search
    )
    runs = JobRuns(store, plan.sweep)
    progress = make_progress(settings.output, write, board, lambda run: runs.read(run).record)
    for note in (*settings.notes, *planned.notes, *earlier.notes):
        progress.say(note)
    return Session(
        settings,
        plan,
        planner,
        executor=executor,
        progress=progress,
        board=board,
        earlier=earlier,
        slots=slots,
        guide=guide,
    )


def _preview(
    hydra_context: HydraContext,
    config: DictConfig,
    settings: SweeperSettings,
    launcher: LauncherSettings,
    space: Space,
    *,
    swept: Sequence[str],
    write: Write | None,
) -> None:
    """Show the jobs of a space; write nothing to the store."""
    _place(config, settings.store.absolute() / "sweeps" / "dry-run")
    planned = _planned(hydra_context, config, settings, launcher, space)
    planner, search_says = planned.planner, None
    if planned.search is not None and settings.search is not None:
        count = (
            len(planned.search.first) if settings.search.mode.is_listed else max(PREVIEWED, launcher.slots)
        )
        planner.add(list(planned.search.next_points(count)))
        planner.check()
        search_says = outlook(settings.search, len(planner.points))
    jobs = [job for job in planner.planned() if job.number in planner.points]
    tell_plan(
        write,
        jobs,
        planned.swept(swept),
        launcher.slots,
        settings.store,
        (*settings.notes, *planned.notes, *planner.new_notes()),
        outlook=search_says,
    )


@dataclass(frozen=True)
class _Planned:
    """The jobs of a sweep that are known before it starts, or the search that decides on them."""

    planner: Planner
    notes: Sequence[str]
    search: PreparedSearch | None = None

    def swept(self, known: Sequence[str]) -> tuple[str, ...]:
        """Return the swept keys, with those that a function of the user's draws before all others."""
        return (*(self.search.drawn if self.search else ()), *known)


def _planned(
    hydra_context: HydraContext,
    config: DictConfig,
    settings: SweeperSettings,
    launcher: LauncherSettings,
    space: Space,
    *,
    sweep_dir: Path | None = None,
) -> _Planned:
    """Return a planner that holds and has checked every point that is known now, with the search if there is one."""
    composer = Composer(hydra_context.config_loader, config, space.fixed)
    group_of = grouping(settings.fuse_key, launcher)
    planner = Planner(composer, space.fixed, settings, recorded_jobs(settings), group_of=group_of)
    if settings.search is not None:
        if not is_ours(config, LAUNCHER):
            raise SettingsError(
                f"mode={settings.space.mode} with schedule={settings.search.schedule}: needs podium's launcher, which asks "
                "for a job when a place is free: hydra/launcher=podium"
            )
        prepared = prepared_search(settings, space, composer, sweep_dir)
        decision = None if planner.restore() else prepared.begin()
        if isinstance(decision, NewJob):
            planner.try_out(decision.point, is_given=decision.point in prepared.first)
        return _Planned(planner, prepared.notes, prepared)
    expansion = expand(space, settings.space, composer.plain)
    planner.add(expansion.points)
    planner.check()
    return _Planned(planner, expansion.notes)


def _executor(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    settings: SweeperSettings,
    sweep_dir: Path,
    *,
    objective: Mapping[str, Any],
    closing: ExitStack,
) -> Executor:
    root = code_root(task_function)
    if root is not None:
        hydra_context = with_callback(hydra_context, CodeWatch(sweep_dir, root))
    if not is_ours(config, LAUNCHER):
        return StockExecutor(
            hydra_context, task_function, config, settings, sweep_dir.name, objective=objective
        )
    launcher = launcher_settings(config)
    common = Common(
        hydra_context, task_function, sweep_dir.name, sweep_dir, objective=objective, many=launcher.many
    )
    return chosen_executor(launcher, common, sweep_dir, closing)


def _place(config: DictConfig, sweep_dir: Path) -> None:
    with flag_override(config.hydra, ["readonly", "struct"], False):
        config.hydra.sweep.dir = str(sweep_dir)
        config.hydra.sweep.subdir = JOB_FOLDERS
