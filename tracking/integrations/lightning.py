"""A logger of PyTorch Lightning, which logs a training into a run and lets the run stop it; and the callback that stops.

`TrackingLogger` and `StopWhenAsked` derive from Lightning's own classes, of `lightning` or of `pytorch_lightning`, whichever
the program has loaded. So they are made when they are first asked for, and importing this module loads neither.
"""

import functools
import importlib
import logging
import math
import sys
import weakref
from collections.abc import Callable, Mapping
from multiprocessing.context import get_spawning_popen
from pathlib import Path, PurePath
from typing import Any, Literal, Self

from tracking.errors import InvalidValueError, MissingExtraError, TrackingError, quoted
from tracking.integrations.fitting import Fitting
from tracking.integrations.live import Live, checked_checkpoints, refuse_others
from tracking.run import Run, active_run
from tracking.tracker import ExperimentTracker
from tracking.values.configs import parameters_of
from tracking.values.plain import MAX_ELEMENTS, flat, is_omegaconf, opened, plain

log = logging.getLogger("tracking")

FAMILIES = ("lightning.pytorch", "pytorch_lightning")
_INTERPOLATION = "${"


class Logging:
    """Logs a training of Lightning into `run`, else into the run that is open, else into a new one.

    In a sweep that is the run of the job. A new run is one of `experiment`, by default the name of the script, in `store`,
    by default that of the sweep, else `experiments`. It ends with the training, and a later test logs into it; a run that
    was open before goes on. Fabric tells of no end: `finalize` says it, else the next training ends the run. What is asked
    to stop, by a user or by its sweep, stops the training.

    Metrics keep Lightning's names and steps, after `prefix` and a slash. Hyper-parameters are parameters, nested keys joined
    by dots. With `log_checkpoints` the best and the last checkpoint of each `ModelCheckpoint` become artifacts at the end of
    the training, with ``"all"`` each one as it is saved. Only the first of several processes logs.
    """

    def __init__(
        self,
        experiment: str | None = None,
        *others: object,
        store: str | PurePath | None = None,
        run: Run | None = None,
        prefix: str = "",
        log_checkpoints: bool | Literal["all"] = False,
        **unknown: object,
    ) -> None:
        super().__init__()
        allowed = "experiment", "store", "run", "prefix", "log_checkpoints"
        refuse_others("TrackingLogger", others, unknown, *allowed)
        if not isinstance(prefix, str):
            raise InvalidValueError(f"prefix is {quoted(prefix)}; give a text, such as 'fold_1'")
        self._experiment = experiment
        self._name: str | None = None
        self._store = store
        self._prefix = f"{prefix}/" if prefix else ""
        self._log_checkpoints = checked_checkpoints(log_checkpoints)
        self._live = None if run is None else Live(run=run)
        self._fitting = Fitting()
        self._trainer: Callable[[], Any] = _nothing
        self._saved: dict[str, tuple[str, str]] = {}  # the best and the last file of each callback
        self._kept: dict[Path, float] = {}  # when the checkpoints that were copied were written
        self._named: set[str] = set()  # the parameters that this logger has logged

    @property
    def name(self) -> str | None:
        """The experiment of the run; before one is open, that which was given."""
        if self._live is not None and self._name is None:
            run = self._live.run
            record = ExperimentTracker(run.run_dir.parents[1]).record(run.run_id)
            self._name = record.experiment_name if record else None
        return self._name or self._experiment

    @property
    def version(self) -> str | None:
        """The id of the run; None before one is open."""
        return None if self._live is None else self._live.run.run_id

    @property
    def save_dir(self) -> str | None:
        """The folder of the run's artifacts, where Lightning puts files that have no place of their own."""
        return str(self.live.run.artifacts_dir) if _is_first() else None

    @property
    def run(self) -> Run:
        """The run that is logged into; it is opened if none is."""
        return self.live.run

    @property
    def live(self) -> Live:
        """What logs; it opens a run when it is first asked for."""
        if self._live is None:
            self._live = Live(self._experiment, store=self._store, of_training=True)
            self._live.hold()  # those of one trainer are opened one after the other, and log into one run
        return self._live

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log one point per metric; ask whether to stop, if they are of the training."""
        if not _is_first():
            return
        trainer = self._known_trainer()
        named = {f"{self._prefix}{name}": value for name, value in metrics.items()}
        self._fitting.log(self.live.run, named, step)
        # of a validation and of several processes, the callback asks at the end
        if trainer is not None and trainer.training and trainer.world_size == 1:
            trainer.should_stop |= self.live.should_stop()

    def log_hyperparams(
        self, params: Any, metrics: Mapping[str, Any] | None = None, *_ignored: Any, **_ignored_too: Any
    ) -> None:
        """Add parameters, if any are given, and log one point per metric.

        A network is logged as the name of its class. In a run that was open before, a text with an interpolation of
        OmegaConf is left out: the config of a job is its parameters, resolved. A name that the run has with another value
        keeps that, with a warning, and what a run refuses is left out with one.
        """
        if not _is_first():
            return
        self._known_trainer()
        fields = {} if params is None else _fields(params)
        parts = self._fitting.kept("parameter", fields, lambda name, value: flat({name: _described(value)}))
        named = self._fitting.params({name: value for part in parts.values() for name, value in part.items()})
        if not self.live.is_own:
            named = self._without_others(
                {name: value for name, value in named.items() if not _is_unresolved(value)}
            )
        self.live.run.log_params(named)
        if metrics:
            self.log_metrics(metrics)

    def _without_others(self, named: dict[str, Any]) -> dict[str, Any]:
        """Return parameters without those that the open run has from elsewhere with other values, which stay."""
        run = self.live.run
        record = ExperimentTracker(run.run_dir.parents[1]).record(run.run_id)
        known = {} if record is None else record.params
        for name in [each for each in named if each in known and each not in self._named]:
            if named[name] != known[name]:
                log.warning(
                    "%s: the parameter %s stays %s; that of the module, %s, is not logged",
                    run.run_id, name, quoted(known[name]), quoted(named[name]),
                )  # fmt: skip
                del named[name]
        self._named |= named.keys()
        return named

    def log_graph(self, model: Any, *_ignored: Any, **_ignored_too: Any) -> None:
        """Log no graph: Lightning calls this as a training starts, and the model knows the trainer, which is to stop."""
        try:
            trainer = model.trainer
        except (AttributeError, RuntimeError):  # a model without a trainer
            return
        self._trainer = weakref.ref(trainer)
        if _is_first():
            self.live.begin()
            self.live.hold()
        for each in trainer.checkpoint_callbacks:  # in the order in which they are numbered
            self._saved.setdefault(str(each.state_key), ("", ""))
        if not any(isinstance(each, Stopping) for each in trainer.callbacks):
            trainer.callbacks.append(_made("StopWhenAsked")())

    def _known_trainer(self) -> Any:
        """Return the trainer that tells of the end of the training; without one, the next training ends the run."""
        trainer = self._trainer()
        if trainer is None:
            self.live.release()
        return trainer

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Note the best and the last checkpoint; keep each one, if all are to be kept."""
        callback = checkpoint_callback
        best, last = getattr(callback, "best_model_path", ""), getattr(callback, "last_model_path", "")
        key = str(getattr(callback, "state_key", ""))
        self._saved[key] = str(best), str(last)
        if self._log_checkpoints == "all":
            for path in {*map(Path, getattr(callback, "best_k_models", ())), Path(best), Path(last)}:
                place = Path(getattr(callback, "dirpath", None) or path.parent)
                name = path.relative_to(place) if path.is_relative_to(place) else path.name
                self._keep(path, self._folder(key) / name)

    def finalize(self, status: str) -> None:
        """End a run of its own: as completed after "success", else as failed or killed by the error that is handled."""
        if self._live is None or not _is_first():
            return
        if status == "success":
            self._keep_best_and_last()
            self._live.end()
            return
        error = sys.exception() or f"Lightning ended the training as {quoted(status)}"
        try:
            self._keep_best_and_last()
        except (TrackingError, OSError) as fault:  # the error of the training must be the one that is raised
            log.error("the checkpoints of %s could not be kept: %s", self._live.run.run_id, fault)
        self._live.end(error)

    def _keep_best_and_last(self) -> None:
        if self._log_checkpoints is not True:
            return
        for key, paths in self._saved.items():
            for name, path in zip(("best", "last"), map(Path, paths), strict=True):
                self._keep(path, self._folder(key) / f"{name}{path.suffix}")

    def _folder(self, key: str) -> Path:
        """Return where the artifacts of a checkpoint callback are: those of each further one in a folder of their own."""
        number = list(self._saved).index(key) + 1
        return Path("checkpoints", str(number) if number > 1 else "")

    def _keep(self, path: Path, name: Path) -> None:
        """Copy a checkpoint, a file or a folder, that has been written since it was copied last."""
        if not path.name or not path.exists() or self._kept.get(name) == path.stat().st_mtime:
            return
        self.live.run.log_artifact(path, name)
        self._kept[name] = path.stat().st_mtime

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)  # it logs into the same run
        return copied

    def __getstate__(self) -> dict[str, Any]:
        if get_spawning_popen() is not None and _is_first():
            _ = self.live  # one run for all trainings of the processes that this one starts
        return {**self.__dict__, "_trainer": _nothing}


class Stopping:
    """Stops a training of Lightning once its run was asked to stop: that of its `TrackingLogger`, else the one that is open.

    `TrackingLogger` brings one along. It asks after each step of a training that has one process, after each validation and at
    the end of each epoch. The first of several processes asks, and all of them stop together.
    """

    def on_train_batch_end(self, trainer: Any, *_ignored: Any, **_ignored_too: Any) -> None:
        """Ask, if there is nobody to tell."""
        if trainer.world_size == 1:
            trainer.should_stop |= _is_to_stop(trainer)

    def on_validation_end(self, trainer: Any, *_ignored: Any) -> None:
        """Ask, if the validation is one of a training."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self.on_train_epoch_end(trainer)

    def on_train_epoch_end(self, trainer: Any, *_ignored: Any) -> None:
        """Ask, and tell the other processes."""
        stops = trainer.is_global_zero and _is_to_stop(trainer)
        trainer.should_stop |= trainer.strategy.reduce_boolean_decision(stops, all=False)


def __getattr__(name: str) -> Any:
    if name in ("TrackingLogger", "StopWhenAsked"):
        return _made(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _made(name: str) -> type:
    family = _family()
    content: dict[str, Any] = {"__module__": __name__}
    if name == "StopWhenAsked":
        bases: tuple[type, ...] = (Stopping, importlib.import_module(f"{family}.callbacks.callback").Callback)
        content["__doc__"] = Stopping.__doc__
    else:
        loggers = importlib.import_module(f"{family}.loggers.logger")

        def experiment(self: Logging) -> Run:
            """Return the run; in further processes something that ignores every call."""
            return self.live.run

        bases = (Logging, loggers.Logger)
        content |= {
            "__doc__": Logging.__doc__,
            "experiment": property(loggers.rank_zero_experiment(experiment)),
        }
    return type(name, bases, content)


def _family() -> str:
    """Return the package of Lightning that the program has loaded, else one that is installed."""
    for name in sorted(FAMILIES, key=lambda each: each not in sys.modules):
        try:
            importlib.import_module(name)
            return name
        except ModuleNotFoundError as error:
            if error.name != name.partition(".")[0]:
                raise
    raise MissingExtraError("Lightning is not installed; pip install lightning installs it")


def _is_first() -> bool:
    return not getattr(
        importlib.import_module("lightning_utilities.core.rank_zero").rank_zero_only, "rank", 0
    )


def _is_to_stop(trainer: Any) -> bool:
    lives = [each.live for each in trainer.loggers if isinstance(each, Logging)]
    asked: list[Any] = lives or [active_run()]
    return any(each is not None and each.should_stop() for each in asked)


def _nothing() -> None:
    return None


def _is_unresolved(value: Any) -> bool:
    return isinstance(value, str) and _INTERPOLATION in value


def _fields(value: Any) -> Any:
    return opened(parameters_of(value) if is_omegaconf(value) else value)


def _described(value: Any) -> Any:
    """Return hyper-parameters as nested dicts: networks as their classes, large arrays as their shapes."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.nn.Module):
        return f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, functools.partial):
        return plain(value, "hyper-parameter")
    fields = _fields(value)
    if isinstance(fields, Mapping):
        return {str(name): _described(each) for name, each in fields.items()}
    if isinstance(fields, list | tuple):
        return [_described(each) for each in fields]
    if hasattr(type(value), "__array__"):  # elsewhere `shape` is a setting
        shape = getattr(value, "shape", ())
        if math.prod(shape) > MAX_ELEMENTS:
            return f"{type(value).__qualname__} of shape {tuple(shape)}"
    return fields
