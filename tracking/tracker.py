"""ExperimentTracker: the main class of the package, with methods that take run ids and methods that return handles."""

import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

from tracking.errors import InvalidValueError, UnknownRunError, quoted
from tracking.files import atomic
from tracking.objective import Objective
from tracking.paths import RunPaths
from tracking.process.hooks import renew_in_children
from tracking.process.sweep_context import current_job
from tracking.records import RunRecord
from tracking.run import Run
from tracking.store import ending
from tracking.store.store import Store
from tracking.values.checks import seed_values
from tracking.values.names import check_label, composed

if TYPE_CHECKING:  # pandas and matplotlib are only loaded by those who ask for a frame or a figure
    import pandas as pd
    from matplotlib.figure import Figure

    from tracking.search.catalog import Catalog
    from tracking.search.run_list import RunList

MAX_OPEN = 64  # journals kept open for log_metrics; the least recently used one is closed


class ExperimentTracker:
    """Records runs in a folder of plain files, and reads them back.

    Creating the object touches nothing on disk and fixes the folder. Any number of processes and threads may use the
    same store. Unknown run ids raise UnknownRunError, except in `get_run` and `record`, which return None.

        tracker = ExperimentTracker()
        with tracker.start_run("ctr_model", params={"learning_rate": 1e-3}) as run:
            run.log({"val_auc": 0.71}, step=0)
    """

    def __init__(self, base_dir: str | os.PathLike[str] = "experiments") -> None:
        self._store = Store(base_dir)
        self._open: OrderedDict[str, Run] = OrderedDict()
        self._renew()

    def _renew(self) -> None:
        self._lock = threading.Lock()  # in a forked child, a thread of the parent may hold the old one
        renew_in_children(self._renew)

    @property
    def base_dir(self) -> Path:
        """The folder of the store, as it was given."""
        return self._store.paths.named

    @property
    def runs_dir(self) -> Path:
        """The folder of the run folders, below the store as it was given; the first run makes it."""
        return self._store.paths.named / self._store.paths.runs.name

    @cached_property
    def _catalog(self) -> "Catalog":
        from tracking.search.catalog import Catalog  # a process that only writes never queries many runs

        return Catalog(self._store)

    def create_run(
        self, experiment_name: str, tags: Mapping[str, Any] | None = None, description: str | None = ""
    ) -> str:
        """Create a run with the status running; return its id, such as run_001, which no other run ever gets."""
        run_id = self._create(experiment_name, tags, description, None)[0].folder.name
        ending.claimed(self._store, run_id).begin()
        with self._lock:
            self._keep(Run(self._store, run_id))  # it is there: nobody need look for it
        return run_id

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Add hyper-parameters to a run: numbers, text, booleans, None, and lists and dicts of these."""
        self._run(run_id).log_params(params)

    def log_metrics(self, run_id: str, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Append a value to each of the named metrics; see Run.log."""
        self._run(run_id).log(metrics, step)

    def log_artifact(
        self,
        run_id: str,
        artifact_path: Any,
        artifact_name: str | PurePath | None = None,
    ) -> str:
        """Copy a file or a folder into the run's artifacts and return its path as text; see Run.log_artifact."""
        return str(self._run(run_id).log_artifact(artifact_path, artifact_name))

    def finish_run(self, run_id: str, status: str = "completed") -> None:
        """Finish a run as 'completed', 'failed', 'killed' or 'pruned'."""
        self._run(run_id).finish(status)
        with self._lock:
            self._open.pop(composed(run_id), None)

    def get_run(self, run_id: str) -> dict[str, Any] | None:
        """Return a run with its parameters and metric histories, or None for an unknown id.

        Keys: run_id, experiment_name, created_at, finished_at, status, tags, description, run_dir, params, metrics.
        metrics maps each name to its points in the order they were logged: {"step", "value", "timestamp"}.
        """
        return self._store.full(run_id)

    def list_runs(self, experiment_name: str | None = None) -> list[dict[str, Any]]:
        """Return all runs or those of one experiment, oldest first, as `get_run` does but without params and metrics."""
        return [self._store.public(entry) for entry in self._catalog.entries(experiment_name)]

    def compare_runs(
        self, run_ids: Iterable[str], *, differing: bool = False, grouped: bool = False
    ) -> "pd.DataFrame":
        """Return a table with a row per run: run_id, experiment_name, status, created_at, parameters, last metric values.

        Ids that the store does not know are left out with a UserWarning. A name that occurs twice becomes `params.NAME`
        and `metrics.NAME`. `differing` keeps only the parameters and
        metrics that differ between rows. `grouped` merges completed runs that differ only in the seed into one row:
        run_ids, experiment_name, n, parameters, and per metric the mean and, as NAME_std, the standard deviation.
        """
        if isinstance(run_ids, str):
            raise InvalidValueError(
                f"run_ids is the text {quoted(run_ids)}; pass a list, such as [{quoted(run_ids)}]"
            )
        if not isinstance(run_ids, Iterable):
            raise InvalidValueError(f"run_ids is {quoted(run_ids)}; pass a list of ids, such as ['run_001']")
        found, unknown = self._catalog.compare(run_ids)
        if unknown:
            warnings.warn(
                f"left out, no such run in {str(self.base_dir)!r}: {', '.join(map(quoted, unknown))}",
                stacklevel=2,
            )
        return found.frame(differing=differing, grouped=grouped)

    def get_best_run(
        self,
        metric: str,
        experiment_name: str | None = None,
        mode: Literal["max", "min"] = "max",
        *,
        at: Literal["last", "best"] = "last",
    ) -> dict[str, Any] | None:
        """Return the run whose last value of `metric` is the highest, or lowest with mode 'min', as `get_run` does.

        With `at` "best" the best value that a run reached counts instead. Runs without a finite value, and those with the tag
        `superseded_by`, do not take part; return None if no run does. Of equal runs the oldest is the best.
        """
        found = self._catalog.best(Objective.of(metric, mode, at), experiment_name)
        return self.get_run(found) if found else None

    def search_runs(
        self,
        filter: str = "",
        *,
        experiment_name: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> "RunList":
        """Return the runs that pass a filter, such as "metrics.val_auc.max > 0.8 and params.lr <= 0.01", oldest first.

        `order_by` is a field or several, with `-` before one to descend: "-metrics.val_auc"; runs without it come
        last. The list has a `frame()`. Raise QueryError at the place of a mistake in the filter. Damaged runs are logged
        and left out.
        """
        from tracking.search.run_list import RunList

        return RunList(
            self._catalog.search(filter, experiment_name=experiment_name, order_by=order_by, limit=limit)
        )

    def plot(
        self,
        metric: str,
        runs: "Iterable[str | RunRecord | Run] | None" = None,
        *,
        experiment_name: str | None = None,
        kind: Literal["curves", "bands", "scatter", "parallel"] = "curves",
        best: int | None = None,
        mode: Literal["max", "min"] | None = None,
        at: Literal["last", "best"] | None = None,
        smooth: float = 0.0,
        x: Literal["step", "time"] | None = None,
        params: Sequence[str] = (),
        log_x: bool = False,
        log_y: bool = False,
        title: str | None = None,
    ) -> "Figure":
        """Return a figure of matplotlib with a metric of runs: curves, bands over seeds, scatter or parallel coordinates.

        `runs` are ids or records, such as what `search_runs` found; by default all runs, or those of one experiment,
        that have the metric. `params` and `at` are for scatter and parallel, `smooth` for curves and bands, `x` for
        curves. A notebook shows the figure once; nothing needs a display. `figure.savefig(...)` writes it.
        """
        from tracking import drawing  # for those who draw

        if runs is not None and experiment_name is not None:
            raise InvalidValueError("give runs or experiment_name, not both")
        chosen = self.records(experiment_name) if runs is None else drawing.records_of(self._store, runs)
        if not chosen and experiment_name is not None:
            raise self._no_experiment(experiment_name)
        return drawing.draw_runs(
            metric, chosen, kind, mode=mode, at=at, x=x, params=params, title=title,
            best=best, smooth=smooth, log_x=log_x, log_y=log_y,
        )  # fmt: skip

    def start_run(
        self,
        experiment_name: str,
        *,
        tags: Mapping[str, Any] | None = None,
        description: str | None = "",
        params: Mapping[str, Any] | None = None,
        config: str | Mapping[str, Any] | None = None,
        overrides: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
        seeds: Mapping[str, Any] | None = None,
        capture_code: bool = True,
        capture_output: bool = True,
        printed: str = "",
        sample_usage_s: float | None = None,
    ) -> Run:
        """Open a new run, best in a `with`: it ends as completed, failed (traceback kept) or killed (SIGTERM, Ctrl-C).

        In a job that goes on after its sweep stopped it early, this opens the job's run again. What was logged stays, and of
        log calls that repeat it only what is new is kept.

        Also writes where it came from: env.json with the `seeds`, git.json and git.patch with the code, `config` (a
        mapping, or YAML text) and `overrides`, all without what looks secret. `data` is the fingerprint of the data, such as
        {"fingerprint": "sha256:...", "rows": 1000}. What Python prints goes into stdout.log too, after what it has
        `printed` for the run before; with `sample_usage_s`
        the use of processor, memory and GPU is sampled that often.
        """
        from tracking import provenance  # those who only read never need it

        seeds, interval_s = seed_values(seeds), provenance.checked_interval(sample_usage_s)
        text = provenance.config_text(config)
        paths, goes_on = self._create(experiment_name, tags, description, data, may_go_on=True)
        run = self._run(paths.folder.name)
        run.activate(goes_on=goes_on)
        try:
            if capture_output:
                run.add_cleanup(provenance.capture_output(paths.output, printed=printed))
            if interval_s:
                run.add_cleanup(provenance.sample_usage(paths.usage, interval_s))
            run.add_cleanup(
                provenance.capture(paths, config=text, overrides=overrides, seeds=seeds, code=capture_code)
            )
            if params:
                run.log_params(params)
        except BaseException as error:
            run.__exit__(type(error), error, error.__traceback__)
            raise
        return run

    def open_run(self, run_id: str) -> Run:
        """Return a handle of an existing run, to continue or to finish it.

        A run that has ended is running again once something is logged. At the end of a `with` it ends, unless another
        block or process has it open, which then ends it.
        """
        self._run(run_id)  # which closes the journal that was used least recently
        return Run(self._store, run_id)

    def record(self, run_id: str) -> RunRecord | None:
        """Return a run without metric histories, or None for an unknown id; the cost does not grow with the history."""
        entry = self._store.scan.entry(run_id)
        return self._store.scan.record(entry) if entry else None

    def records(self, experiment_name: str | None = None) -> "RunList":
        """Return the records of all runs or of one experiment, oldest first; damaged runs are logged and left out."""
        from tracking.search.run_list import RunList

        return RunList(self._catalog.records(experiment_name))

    def rename_experiment(self, experiment_name: str, new_name: str) -> list[str]:
        """Move all runs of an experiment to another, which may have runs already; return their ids.

        Runs are moved one by one, so after an interruption call it again. Raise UnknownRunError without any run.
        """
        from tracking.store import amend  # here and below: most processes that log runs never need it

        new_name = check_label("experiment name", new_name)
        run_ids = self._catalog.run_ids_of(check_label("experiment name", experiment_name))
        if not run_ids:
            raise self._no_experiment(experiment_name)
        for run_id in run_ids:
            amend.rename(self._store, run_id, new_name)
        self.publish()
        return run_ids

    def _no_experiment(self, name: str) -> UnknownRunError:
        return UnknownRunError(f"no run in {str(self.base_dir)!r} belongs to the experiment {quoted(name)}")

    def delete_run(self, run_id: str, *, force: bool = False) -> None:
        """Move a run into the trash, from where `restore_run` brings it back; its number is not used again.

        Raise RunInUseError for a run that a registered model version came from, and without `force` for one that is
        running.
        """
        from tracking.registry.lineage import descendants
        from tracking.registry.models import ModelRegistry
        from tracking.store import trash

        run_id = composed(run_id)
        with self._lock:
            opened = self._open.pop(run_id, None)
        if opened:
            opened.release()
        trash.delete(self._store, run_id, descendants(ModelRegistry(self._store.paths.base)), force=force)
        self._store.publisher.stage(run_id)
        self._store.publisher.publish()

    def restore_run(self, run_id: str) -> None:
        """Bring a deleted run back under its id; raise UnknownRunError if it is not in the trash."""
        from tracking.store import trash

        run_id = composed(run_id)
        trash.restore(self._store, run_id)
        self._store.publisher.stage(run_id)
        self._store.publisher.publish()

    def publish(self) -> None:
        """Bring metadata.json up to date now.

        Only stores of about a thousand runs and more need it. They are otherwise brought up to date when the process
        ends, or its sweep; children of multiprocessing do not, as they skip exit handlers.
        """
        if self._store.paths.runs.is_dir():
            self._store.publisher.publish(force=True)

    def _create(
        self,
        experiment_name: str,
        tags: Mapping[str, Any] | None,
        description: str | None,
        data: Mapping[str, Any] | None,
        *,
        may_go_on: bool = False,
    ) -> tuple[RunPaths, bool]:
        job = current_job()
        sweep = self._as_kept(job.sweep) if job else {}
        pruned = None
        if may_go_on and sweep.get("previous"):
            from tracking.store.going_on import reopened

            pruned = reopened(self._store, experiment_name, sweep)
        paths = pruned or self._store.create(
            experiment_name, tags=tags, description=description, data=data, sweep=sweep or None
        )
        if job:
            job.announce(paths.folder)
        self._store.publisher.publish()
        return paths, pruned is not None

    def _as_kept(self, sweep: Mapping[str, Any]) -> dict[str, Any]:
        """Return what run.json keeps of a job; of its earlier runs, those of this store go by their ids."""
        runs = os.path.realpath(self._store.paths.runs)
        folders = [Path(str(each)) for each in sweep.get("previous") or ()]
        named = [each.name if os.path.realpath(each.parent) == runs else str(each) for each in folders]
        return {**sweep, "previous": named} if named else dict(sweep)

    def _run(self, run_id: str) -> Run:
        with self._lock:
            run = self._open.get(run_id)
            if run is None:
                run_id = composed(run_id)
                run = self._open.get(run_id)
            if run is None:
                with atomic.writing(self._store.paths.runs):  # a handle is opened to write
                    self._store.require(run_id)
                run = self._keep(Run(self._store, run_id))
            self._open.move_to_end(run_id)
            return run

    def _keep(self, run: Run) -> Run:
        self._open[run.run_id] = run
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1].release()
        return run

    def __repr__(self) -> str:
        return f"ExperimentTracker({str(self.base_dir)!r})"

    def _repr_html_(self) -> str:
        from tracking.search.run_list import experiments_html

        return experiments_html(str(self.base_dir), self._catalog.rows())

    def __reduce__(self) -> tuple[type["ExperimentTracker"], tuple[Path], Path]:
        return ExperimentTracker, (self.base_dir,), self._store.paths.base

    def __setstate__(self, base: Path) -> None:
        # a copy in another process opens its own files, in this store, whatever its working directory
        self._store = Store(self.base_dir, at=base)
