"""Make a run again from what it remembers, and compare: the one flow of the room."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tracking.errors import RerunError, RunInUseError, TrackingError
from tracking.files import regular
from tracking.objective import Objective
from tracking.paths import RunPaths
from tracking.process.signals import guard
from tracking.provenance.code import read_code
from tracking.provenance.git import find_root
from tracking.records import RunRecord, RunStatus
from tracking.rerun import child
from tracking.rerun.checkout import bring_data, check_out
from tracking.rerun.differences import OF_TIME
from tracking.rerun.entrypoint import Program, program_of, with_secrets, with_seed
from tracking.rerun.judging import compare
from tracking.rerun.noise import prediction_interval
from tracking.rerun.parameters import other_parameters
from tracking.rerun.remembered import (
    digest_of,
    object_of,
    objective_of,
    overrides_of,
    recorded_config,
    seed_of,
)
from tracking.rerun.result import Noise, RerunResult, keep, results_of
from tracking.rerun.scratch import scratch
from tracking.store.scan import shown_status
from tracking.store.store import Store
from tracking.transfer.imports import import_runs
from tracking.values.names import RERUN_OF

Say = Callable[[str], object]
ENDED = (RunStatus.COMPLETED, RunStatus.PRUNED)


def rerun(
    run_id: str,
    store: str | os.PathLike[str],
    *,
    seeds: int = 0,
    metric: str | None = None,
    here: bool = False,
    repository: str | os.PathLike[str] | None = None,
    keep_folder: bool = False,
    timeout_s: float | None = None,
    say: Say = lambda _text: None,
) -> RerunResult:
    """Make a run again from its commit, changes, command, config and seeds; compare, and keep the result with the run.

    The new run is one of the same store, with the tag `rerun_of` and without a rank. With `seeds`, unless it is
    identical, so many further runs with other seeds say whether the first run's objective, or `metric`, lies where a further run does in 95 % of cases. `here` runs
    the present code in the working folder of the first run. `repository` is where the code's repository lies now. With
    `keep_folder` the checkout stays. `timeout_s` holds for each run. `say` gets lines of progress.

    The user's working tree and repository do not change. Raise RerunError where the run cannot be made again; a run
    that differs is no error.
    """
    if seeds == 1 or seeds < 0:
        raise RerunError("noise takes at least 2 runs with other seeds; 5 tell more")
    place = Store(store)
    first = _First.read(place, run_id)
    judged_by = _judged_by(first, metric) if seeds else None  # before anything runs
    began, made_from = time.monotonic(), digest_of(first.record, first.paths)
    with ended_by_sigterm(), scratch(keep=keep_folder) as folder:
        setting, notes = _prepare(first, folder, here=here, repository=repository, say=say)
        setting.timeout_s = timeout_s
        if keep_folder:
            say(f"kept: {folder}")
        made = _Making(first, setting, say)
        again = made.make()
        _refuse_other_code(child.reported(setting))
        _refuse_other_parameters(first, again, folder, here=here)
        found = compare(place, first.record, again)
        noise = _noise(made, first, seeds, judged_by, say) if judged_by and found.is_open else None
        reported = child.reported(setting)
    notes += [f"{path} is not in git and was imported from there" for path, _ in reported["imported"]]
    result = found.result(noise, notes, reported["config"], took_s=time.monotonic() - began)
    result = result if here else replace(result, made_from=made_from)
    keep(first.paths, result)
    return result


def last_rerun(run_id: str, store: str | os.PathLike[str]) -> RerunResult | None:
    """Return the newest result that a run keeps of being made again; None if it never was."""
    place = Store(store)
    place.require(run_id)
    found = results_of(place.paths.run(run_id))
    return found[-1] if found else None


def standing_rerun(run_id: str, store: str | os.PathLike[str]) -> RerunResult | None:
    """Return the newest result of a run where it still stands: made from what the run remembers now, and since it ended; else None."""
    place = Store(store)
    entry = place.require(run_id)
    found = last_rerun(run_id, store)
    if found is None or found.made_from is None:
        return None
    record = place.scan.record(entry)
    ended = record.status in ENDED and record.finished_at is not None and record.finished_at <= found.at
    return found if ended and found.made_from == digest_of(record, place.paths.run(run_id)) else None


@dataclass(frozen=True)
class _First:
    """The run that is to be made again, and what it remembers."""

    store: Store
    record: RunRecord
    paths: RunPaths
    git: Mapping[str, Any]
    env: Mapping[str, Any]
    program: Program

    @classmethod
    def read(cls, store: Store, run_id: str) -> "_First":
        entry = store.require(run_id)
        if shown_status(entry, store.paths) is RunStatus.RUNNING:
            raise RunInUseError(f"run {run_id!r} is running; make it again when it has ended")
        record, paths = store.scan.record(entry), store.paths.run(run_id)
        if record.status not in ENDED:
            raise RerunError(f"run {run_id!r} is {record.status.value}: only a completed run can be compared")
        if all(OF_TIME.fullmatch(name) for name in record.summary):
            raise RerunError(f"run {run_id!r} has no metric to compare, but for those of time")
        git, env = (object_of(path) for path in (paths.git, paths.environment))
        is_job = record.sweep is not None and not env.get("own_command")
        program = program_of(env, overrides_of(paths), is_job=is_job)
        return cls(store, record, paths, git, env, program)


@dataclass
class _Making:
    """The processes of one call: the run made again, then runs with other seeds."""

    first: _First
    setting: child.Setting
    say: Say
    attempts: int = 0
    place: int | None = None  # of the run among those that the program opens
    words: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.words = with_secrets(self.first.program.arguments, os.environ)

    def make(self, seed: int | None = None, values: Mapping[str, Any] | None = None) -> RunRecord:
        """Start the program once, and return the run that corresponds to the first one."""
        self.attempts += 1
        words = self.words if seed is None else with_seed(self.words, seed) or self.words
        program = self.first.program
        script = program.script and self.setting.mapped(program.script)
        command = Program(program.options, script, program.module, program.code, words).command(
            self.setting.interpreter
        )
        self.say(f"running: {program.shown()}" + ("" if seed is None else f", with the seed {seed}"))
        with _tagged(self.first.store, self.first.record.run_id, self.setting, self.attempts):
            code, folders = child.start(
                self.setting, command, attempt=self.attempts, values=values, on_open=self._tell
            )
        return self._corresponding(code, folders)

    def _tell(self, folder: Path) -> None:
        self.say(f"{folder.name} is open")

    def _corresponding(self, code: int, folders: list[Path]) -> RunRecord:
        records = [_brought(self.first.store, folder, self.setting.folder) for folder in folders]
        ours = self.first.record
        alike = [each for each in records if each.experiment_name == ours.experiment_name]
        same = [each for each in alike if each.params == ours.params]
        at = self.place
        found = (
            records[at]
            if at is not None and at < len(records)
            else next(iter(same or alike or records), None)
        )
        if found is None or found.status not in ENDED:
            what = "opened no run" if found is None else f"{found.run_id} ended as {found.status.value}"
            said = f": {found.error}" if found is not None and found.error else ""
            tail = child.printed(self.setting)
            raise RerunError(
                f"the run was not made again: {what}{said} (exit code {code})" + (f"\n{tail}" if tail else "")
            )
        self.place = records.index(found)
        self.say(f"{found.run_id} ended after {found.duration_s or 0:.1f} s")
        return found


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that processes and folders do not outlive it."""
    guard.enter()
    try:
        yield
    finally:
        guard.leave()


@contextmanager
def _tagged(store: Store, run_id: str, setting: child.Setting, attempt: int) -> Iterator[None]:
    """Give the runs that an attempt opens their tag, also those of other versions of this software, and interrupted ones."""
    try:
        yield
    finally:
        for folder in child.opened_so_far(setting, attempt):
            with suppress(TrackingError):
                Store(folder.parents[1]).amend(folder.name, partial(_as_repeated, run_id))
        with suppress(TrackingError):
            store.publisher.publish(force=True)


def _as_repeated(run_id: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"tags": {**(entry.get("tags") or {}), RERUN_OF: run_id}, "sweep": None}


def _brought(store: Store, folder: Path, passing: Path) -> RunRecord:
    """Return a run as one of this store; one of another store is copied, without a trace of one below `passing`."""
    other = Store(folder.parents[1])
    run_id = folder.name
    if os.path.realpath(other.paths.base) != os.path.realpath(store.paths.base):
        outcome = import_runs(store, other, [run_id])
        if run_id not in outcome.copied:
            raise RerunError(f"{folder} was not copied: {outcome.left_out.get(run_id, 'it is here already')}")
        run_id = outcome.copied[run_id]
        if folder.resolve().is_relative_to(passing):
            store.amend(run_id, lambda _: {"imported_from": None})
    return store.scan.record(store.require(run_id))


def _prepare(
    first: _First, folder: Path, *, here: bool, repository: str | os.PathLike[str] | None, say: Say
) -> tuple[child.Setting, list[str]]:
    """Check the code out, and return where it runs, and what of it is not as it was."""
    named = str(first.env.get("cwd") or first.git.get("root") or Path.cwd())
    setting = child.Setting(
        run_id=first.record.run_id,
        folder=folder,
        cwd=Path(named),
        named_cwd=named,
        interpreter=child.interpreter_of(first.env),
        env=first.env,
        config=recorded_config(first.paths),
    )
    notes = [str(each) for each in first.git.get("why_not") or ()]
    recorded = first.env.get("executable")
    if recorded and setting.interpreter != recorded:
        notes.append(f"the interpreter {recorded} is not here; {setting.interpreter} ran instead")
    if here:
        notes = [_present_code(first)]
    else:
        _check_out_all(first, setting, folder, repository, say)
        setting.cwd = _mapped_folder(setting, named)
    if not setting.cwd.is_dir():
        raise RerunError(f"the working folder of the run is gone: {setting.cwd}")
    return setting, notes


def _check_out_all(
    first: _First,
    setting: child.Setting,
    folder: Path,
    repository: str | os.PathLike[str] | None,
    say: Say,
) -> None:
    recorded = first.git.get("root")
    root = Path(repository).absolute() if repository else Path(str(recorded or ""))
    if not recorded:
        raise RerunError("the run's code was in no git repository; --here runs the present code")
    say(f"checking out {str(first.git.get('commit'))[:12]} of {root}")
    tree = folder / "tree" / root.name
    tree.parent.mkdir()
    patch = first.paths.patch if regular.is_file(first.paths.patch) else None
    check_out(root, first.git, tree, patch=patch)
    bring_data(root, first.git, tree)
    setting.pairs += [(place, tree) for place in dict.fromkeys([Path(str(recorded)), root])]
    for number, other in enumerate(first.git.get("repositories") or ()):
        beside = Path(str(other.get("root")))
        say(f"checking out {str(other.get('commit'))[:12]} of {beside}")
        place = folder / f"tree-{number}" / beside.name
        place.parent.mkdir()
        check_out(beside, other, place, patch=None)
        setting.pairs.append((beside, place))


def _mapped_folder(setting: child.Setting, named: str) -> Path:
    """Return the working folder in the checkout; one that git does not know is made there."""
    for root, tree in setting.pairs:
        with suppress(ValueError):
            inner = tree / Path(os.path.realpath(named)).relative_to(os.path.realpath(root))
            inner.mkdir(parents=True, exist_ok=True)
            return inner
    return Path(named)


def _present_code(first: _First) -> str:
    cwd = Path(str(first.env.get("cwd") or "."))
    root = find_root(cwd)
    now = read_code(root, cwd).commit if root else None
    before = first.git.get("commit")
    if now is None:
        return "the present code ran, which is in no git repository"
    was = "the same as then" if now == before else f"then {str(before)[:12]}"
    return f"the present code ran, at commit {now[:12]} ({was}) with what was changed since"


def _judged_by(first: _First, metric: str | None) -> tuple[Objective, float]:
    """Return what noise is judged by, and its value of the first run; raise RerunError for a run without one."""
    objective = objective_of(first.record, first.paths, metric)
    value = objective.value(first.record)
    if objective.metric is None or value is None:
        raise RerunError("the run has no metric to judge noise by; name one with --metric")
    return objective, float(value)


def _noise(made: _Making, first: _First, seeds: int, judged_by: tuple[Objective, float], say: Say) -> Noise:
    objective, value = judged_by
    composed = {str(name): number for name, number in child.reported(made.setting)["numbers"]}
    key, seed = seed_of(first.env, first.paths, composed)
    known = with_seed(made.words, seed or 0) is not None
    if not (known or key):
        say("the run names no seed: the further runs are repetitions")
    others: list[tuple[str, int | None, float]] = []
    for number in range(1, seeds + 1):
        new = (seed or 0) + number if known or key else None
        record = made.make(new, {key: new} if key and new is not None else None)
        others.append((record.run_id, new, _finite(objective, record)))
    low, high = prediction_interval([each[2] for each in others])
    runs, tried, values = zip(*others, strict=True)
    return Noise(str(objective.metric), value, tuple(values), low, high, tuple(runs), tuple(tried))


def _finite(objective: Objective, record: RunRecord) -> float:
    value = objective.value(record)
    if value is None:
        raise RerunError(f"{record.run_id} has no {objective.metric}")
    return float(value)


def _refuse_other_code(reported: Mapping[str, list[Any]]) -> None:
    if not reported["began"]:
        raise RerunError(
            "the run was made with the code that its interpreter found: options such as -I, -E and -S keep it from the checkout"
        )
    wrong = [str(path) for path, is_checked_out in reported["imported"] if is_checked_out]
    if wrong:
        raise RerunError(
            f"the run was made with other code than its commit: {wrong[0]} was imported from the repository itself"
            + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else "")
        )


def _refuse_other_parameters(first: _First, again: RunRecord, folder: Path, *, here: bool) -> None:
    """Raise RerunError for a run with other parameters: it is another run, whatever its metrics are.

    The present code may have more or fewer parameters, and a run that was stopped early has recorded what it had by then.
    """
    only_shared = here or first.record.status is RunStatus.PRUNED
    found = other_parameters(first.record, again, folder, only_shared=only_shared)
    if found:
        sweep = first.record.sweep
        is_unknown = sweep is not None and not first.env.get("own_command") and not overrides_of(first.paths)
        why = "; the run does not remember the overrides of its job" if is_unknown else ""
        raise RerunError(
            f"the run was not made again: {again.run_id} has other parameters: {', '.join(found)}{why}"
        )
