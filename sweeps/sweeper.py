"""A sweep from start to end: plan, run, rank, promote.

A config that cannot work is refused before the first job starts. After that, the completed jobs are always ranked.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, flag_override

from sweeps.display.json_events import Write
from sweeps.display.preview import tell_plan
from sweeps.display.progress import make_progress, stdout_for
from sweeps.display.scoreboard import Scoreboard
from sweeps.errors import SweepError
from sweeps.executor.code_watch import CodeWatch
from sweeps.executor.contract import Executor
from sweeps.executor.local.child import with_callback
from sweeps.executor.local.executor import LocalExecutor
from sweeps.executor.local.main_script import sweep_starts
from sweeps.executor.local.program import Common
from sweeps.executor.stock import StockExecutor
from sweeps.paths import JOB_FOLDERS, abandon, claim
from sweeps.plan.compose import Composer
from sweeps.plan.grouping import grouping
from sweeps.plan.hashing import computed_from
from sweeps.plan.plan import make_plan
from sweeps.plan.planner import Planner
from sweeps.ranking.exit_errors import resumable
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.samplers.listed import make_sampler
from sweeps.samplers.sampler import Sampler
from sweeps.session import Session
from sweeps.settings.addresses import without_addresses
from sweeps.settings.launcher_settings import LauncherSettings
from sweeps.settings.reading import launcher_settings, sweeper_settings
from sweeps.settings.sections import LAUNCHER, is_ours
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.space import Space, read_space
from sweeps.state.code import code_root, code_state, late_state
from sweeps.state.job_runs import JobRuns
from sweeps.state.lock import locked
from sweeps.state.origin import signed
from sweeps.state.resume import NOTHING, recorded_jobs, resumed_folder, swept_before, take_over
from tracking import TrackingError
from tracking.files import write_bytes


def run(
    hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig, arguments: Sequence[str]
) -> Leaderboard | None:
    """Run the sweep that `config` and the overrides in `arguments` describe; return its leaderboard.

    With ``dry_run``, show the jobs, start nothing, write nothing and return None. Raise `SettingsError` before
    anything starts; after the ranking, raise `SweepInterruptedError` if a signal stopped the sweep, `ObjectiveError`
    if no job logged the objective that was asked for, and `JobsFailedError` if more jobs failed than ``max_failures`` tolerates.
    """
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
    swept = (*space.swept, *([settings.space.seed_key] if settings.space.repeat > 1 else ()))
    if settings.dry_run:
        _preview(hydra_context, config, settings, launcher, space, swept=swept, write=write)
        return None
    sweep_dir = claim(settings.store, settings.name) if settings.resume is None else resumed_folder(settings)
    with resumable(sweep_dir), locked(sweep_dir), contextlib.ExitStack() as planning:
        if settings.resume is None:
            planning.callback(abandon, sweep_dir)
        _place(config, sweep_dir)
        objective = settings.ranked_by(swept)
        executor = _executor(hydra_context, task_function, config, settings, sweep_dir, objective=objective)
        planner, sampler = _planner(hydra_context, config, settings, launcher, space)
        base = computed_from(config, settings.key_ignores)
        total = None if sampler.total is None else planner.total
        plan = make_plan(sweep_dir.name, settings, swept, total, arguments=arguments, config=base)
        code = code_state(task_function)
        late_code = late_state(task_function, code or {})
        plan = replace(plan, left=tuple(planner.left), code=code, late_code=late_code)
        earlier = NOTHING
        if settings.resume is None:
            signed(plan).save(sweep_dir / "plan.json")
            write_bytes(sweep_dir / "multirun.yaml", OmegaConf.to_yaml(config).encode())
        else:
            plan, earlier = take_over(sweep_dir, plan, planner.planned(), settings, signed)
        planning.pop_all()
        # What left the space and never ended is in the leaderboard alone.
        on_board = planner.points.keys() | earlier.kept.keys()
        jobs = [job for job in planner.planned() if job.number in on_board]
        slots = launcher.n_jobs
        board = Scoreboard.of_store(settings.store, jobs, plan.swept, settings.objective, slots=slots)
        runs = JobRuns(settings.store, plan.sweep)
        progress = make_progress(settings.output, write, board, lambda run: runs.read(run).record)
        for note in (*settings.notes, *sampler.notes, *earlier.notes):
            progress.say(note)
        session = Session(
            settings,
            plan,
            planner,
            sampler,
            executor=executor,
            progress=progress,
            board=board,
            earlier=earlier,
            slots=slots,
        )
        session.tell_notes()
        session.take_note()
        with session.alerts:
            return session.run() if session.has_jobs else session.conclude()


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
    planner, sampler = _planner(hydra_context, config, settings, launcher, space)
    jobs = [job for job in planner.planned() if job.number in planner.points]
    tell_plan(
        write,
        jobs,
        swept,
        launcher.n_jobs,
        settings.store,
        (*settings.notes, *sampler.notes, *planner.new_notes()),
    )


def _planner(
    hydra_context: HydraContext,
    config: DictConfig,
    settings: SweeperSettings,
    launcher: LauncherSettings,
    space: Space,
) -> tuple[Planner, Sampler]:
    """Return the sampler of a space, and a planner that holds and has checked every point that is known now."""
    composer = Composer(hydra_context.config_loader, config, space.fixed)
    sampler = make_sampler(space, settings.space, composer.plain)
    group_of = grouping(settings.fuse_key, launcher)
    planner = Planner(composer, space.fixed, settings, recorded_jobs(settings), group_of=group_of)
    if sampler.total is not None:
        planner.add(list(iter(sampler.ask, None)))
        planner.check()
    return planner, sampler


def _executor(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    settings: SweeperSettings,
    sweep_dir: Path,
    *,
    objective: Mapping[str, Any],
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
    return LocalExecutor(launcher, common)


def _place(config: DictConfig, sweep_dir: Path) -> None:
    with flag_override(config.hydra, ["readonly", "struct"], False):
        config.hydra.sweep.dir = str(sweep_dir)
        config.hydra.sweep.subdir = JOB_FOLDERS
