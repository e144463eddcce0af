"""A callback of Hugging Face's Trainer, which logs a training into a run and lets the run stop it.

`TrackingCallback` derives from the class of `transformers`. So it is made when it is first asked for, and importing this
module does not load that library.
"""

import functools
import importlib
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Literal

from tracking.errors import InvalidValueError, MissingExtraError
from tracking.integrations.live import checked_checkpoints, refuse_others
from tracking.integrations.training import Training, callback_of
from tracking.process import identity
from tracking.run import Run
from tracking.values.checks import metric_value
from tracking.values.plain import flat

log = logging.getLogger("tracking")

PREFIX = "huggingface"
STEPS_BETWEEN = 10  # of several processes, which wait for each other when they ask
# What differs from run to run and is no setting, and tables of labels.
LEFT_OUT = frozenset(
    {
        "output_dir",
        "logging_dir",
        "run_name",
        "local_rank",
        "hub_token",
        "id2label",
        "label2id",
        "task_specific_params",
    }
)


class Following(Training):
    """Logs what the Trainer logs into `run`, else into the run that is open, else into a new one.

    In a sweep that is the run of the job. A new run is one of `experiment`, by default the name of the script, in `store`,
    by default that of the sweep, else `experiments`. It ends with the training, and a later evaluation logs into it; a
    further training has a run of its own. In ``with callback:`` one run holds all, and ends as failed or killed by what
    leaves the block. Without the block the Trainer tells nobody of an error: the run is open until the process ends, which
    then fails it. A run that was open before goes on.

    Metrics keep their names and steps (`loss`, `eval_loss`), with what is no number left out. The arguments of the Trainer
    and the config of the model are the parameters `huggingface.*` and `huggingface.model.*`. With `log_checkpoints` the best
    and the last checkpoint become artifacts at the end of the training, with ``"all"`` each one as it is saved. A training
    stops once its run was asked to. Only the first of several processes logs, and all of them stop together.
    """

    def __init__(
        self,
        experiment: str | None = None,
        *others: object,
        store: str | PurePath | None = None,
        run: Run | None = None,
        log_checkpoints: bool | Literal["all"] = False,
        **unknown: object,
    ) -> None:
        refuse_others("TrackingCallback", others, unknown, "experiment", "store", "run", "log_checkpoints")
        super().__init__(experiment, store=store, run=run)
        self._log_checkpoints = checked_checkpoints(log_checkpoints)
        self._last: Path | None = None  # the checkpoint that was saved last

    def on_train_begin(self, args: Any, state: Any, _control: Any, **given: Any) -> None:
        """Open a run, if none is open or the last training had one of its own; log the parameters."""
        self._last = None
        if state.is_world_process_zero:
            found = dict(_parameters(args, given.get("model")))
            if state.trial_params:
                found["trial"] = state.trial_params
            self.begin(flat({PREFIX: found}))
        self._trains = True  # in the other processes too, which stop with the first

    def on_log(
        self, _args: Any, state: Any, _control: Any, logs: Mapping[str, Any] | None = None, **_given: Any
    ) -> None:
        """Log one point per number."""
        if state.is_world_process_zero:
            self.log(dict(_numbers(logs or {})), state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_given: Any) -> None:
        """Ask whether to stop; of several processes, each so many steps."""
        if args.world_size == 1 or state.global_step % STEPS_BETWEEN == 0:
            self._ask(args, state, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_given: Any) -> None:
        """Ask whether to stop."""
        self._ask(args, state, control)

    def on_save(self, args: Any, state: Any, _control: Any, **_given: Any) -> None:
        """Note a checkpoint; keep it, if all are to be kept."""
        self._last = _checkpoint(Path(args.output_dir), state)
        if self._log_checkpoints == "all" and state.is_world_process_zero:
            self._keep(self._last, self._last.name)

    def on_train_end(self, _args: Any, state: Any, _control: Any, **_given: Any) -> None:
        """Keep the best and the last checkpoint; complete a run of its own."""
        if state.is_world_process_zero and self._log_checkpoints is True and self._last is not None:
            best = Path(state.best_model_checkpoint or self._last)
            self._keep(best, "best")
            if self._last != best:
                self._keep(self._last, "last")
        self.end()

    def on_evaluate(self, args: Any, state: Any, control: Any, **_given: Any) -> None:
        """Ask whether to stop; outside of a training, complete a run of its own again. `on_log` has logged the metrics."""
        if self._trains:
            self._ask(args, state, control)
        elif state.is_world_process_zero:
            self.end()

    def on_predict(
        self, _args: Any, state: Any, _control: Any, metrics: Mapping[str, Any], **_given: Any
    ) -> None:
        """Log the metrics of a prediction, which the Trainer does not log."""
        if state.is_world_process_zero:
            self.log(dict(_numbers(metrics)), state.global_step)
            if not self._trains:
                self.end()

    def _ask(self, args: Any, state: Any, control: Any) -> None:
        """Ask in a place that all processes pass, which the first one tells what it has heard."""
        stops = state.is_world_process_zero and self.should_stop()
        control.should_training_stop |= _agreed(stops, args)

    def _keep(self, folder: Path, name: str) -> None:
        if folder.is_dir():
            self.run.log_artifact(folder, f"checkpoints/{name}")
        else:
            log.warning("%s: the checkpoint %s is not kept: it is no folder", self.run.run_id, folder)

    def logs_here(self) -> bool:
        """Return whether this is the first process, or the only one, before a Trainer tells that."""
        return identity.rank() in (None, "0")


def __getattr__(name: str) -> Any:
    if name == "TrackingCallback":
        return _made()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _made() -> type:
    try:
        base = importlib.import_module("transformers.trainer_callback").TrainerCallback
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        raise MissingExtraError(
            "transformers is not installed; pip install transformers accelerate installs what its Trainer needs"
        ) from None
    return callback_of(Following, base, __name__)


def _parameters(args: Any, model: Any) -> Iterator[tuple[str, Any]]:
    for name, value in args.to_dict().items():
        if value is not None and name not in LEFT_OUT:
            yield name, value
    if model is None:
        return
    yield "weights", sum(each.numel() for each in model.parameters())
    config = getattr(model, "config", None)
    if config is None or not hasattr(config, "to_dict"):
        yield "model", f"{type(model).__module__}.{type(model).__qualname__}"
        return
    known = config.to_dict().items()
    yield "model", {name: value for name, value in known if value is not None and name not in LEFT_OUT}


def _checkpoint(folder: Path, state: Any) -> Path:
    """Return the checkpoint that was saved just now. A trial of a search has a folder for its own, which nobody tells."""
    name = f"checkpoint-{state.global_step}"
    if not state.is_hyper_param_search:
        return folder / name
    trials = [folder / (state.trial_name or ""), *folder.glob("*")]
    written = [each for trial in trials if (each := trial / name / "trainer_state.json").is_file()]
    return max(written, key=lambda file: file.stat().st_mtime_ns, default=folder / name / "none").parent


def _numbers(logs: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in logs.items():
        try:
            yield name, metric_value(name, value)
        except InvalidValueError:  # a confusion matrix, say: no curve
            continue


def _agreed(stops: bool, args: Any) -> bool:
    """Return whether any of the processes that train together is to stop; each must ask at the same place."""
    if args.world_size == 1:
        return stops
    torch = sys.modules["torch"]
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return False  # one that stopped alone would let the others wait
    flag = torch.tensor(int(stops), device=args.device)
    torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
    return bool(flag.item())
