"""The run of one training: opened when a framework begins to train, ended when it stops.

Callbacks of frameworks are made of this. Where they log is decided in `Live` alone.
"""

from collections.abc import Mapping
from pathlib import PurePath
from types import TracebackType
from typing import Any, Self

from tracking.integrations.fitting import Fitting
from tracking.integrations.live import Live, checked_run, refuse_others
from tracking.run import Run


def callback_of(own: type["Training"], base: type, module: str) -> type:
    """Return the class `TrackingCallback` of a module: `own` and the framework's base class in one."""
    return type("TrackingCallback", (own, base), {"__module__": module, "__doc__": own.__doc__})


class Training:
    """Logs a training into `run`, else into the run that is open, else into a new one of `experiment` in `store`; see `Live`.

    Nothing is opened before the training begins. A new run ends with the training, or with a `with` block around it; only
    the block sees a training that raises. Without one, the run is open until the process ends, which then fails it by the
    error that it ends with. The next training or block, of this object or of another one in this thread, has a run of its
    own, and ends one that was left open.
    """

    def __init__(
        self,
        experiment: str | None = None,
        *others: object,
        store: str | PurePath | None = None,
        run: Run | None = None,
        **unknown: object,
    ) -> None:
        refuse_others("TrackingCallback", others, unknown, "experiment", "store", "run")
        self._given = (experiment, store, checked_run(run))
        self._fitting = Fitting()
        self._live: Live | None = None
        self._has_begun = self._trains = self._is_held = False  # held by a block

    @property
    def run(self) -> Run:
        """The run that is logged into, after a training the one that it had; it is opened if no training has begun."""
        return self._opened().run

    def begin(self, params: Mapping[str, Any]) -> None:
        """Begin a training with these parameters."""
        self._leave_last()
        self._has_begun = self._trains = True
        live = self._opened()
        live.begin()
        live.log_params(self._fitting.params(params))

    def log(self, metrics: Mapping[str, Any], step: int | None) -> None:
        """Log one point per metric; leave out, with a warning, what a run refuses."""
        if metrics:
            self._fitting.log(self.run, metrics, step)

    def should_stop(self) -> bool:
        """Return whether the run was asked to stop early."""
        return self._opened().should_stop()

    def end(self) -> None:
        """End the training: a new run is completed, unless a block goes on."""
        self._trains = False
        if self._live is not None and not self._is_held:
            self._live.end()

    def logs_here(self) -> bool:
        """Return whether this process logs the training: of several that train together, one does."""
        return True

    def _leave_last(self) -> None:
        """Leave the run of a training before, unless a block goes on."""
        if self._has_begun and not self._is_held:
            if self._live is not None and self._trains:
                self._live.leave()
            self._live, self._has_begun, self._trains = None, False, False

    def _opened(self) -> Live:
        if self._live is None:
            experiment, store, run = self._given
            self._live = Live(experiment, store=store, run=run, of_training=True)
            if self._is_held:
                self._live.hold()
        return self._live

    def __enter__(self) -> Self:
        self._leave_last()
        self._is_held = True
        if self.logs_here():
            live = self._opened()
            live.begin()
            live.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_held, self._has_begun, self._trains = False, True, False
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        is_over = self._has_begun or (self._live is not None and self._live.run.is_finished)
        if is_over and not (self._trains or self._is_held):
            state |= {"_live": None, "_has_begun": False}  # a copy has nothing to do with what is over
        return state
