"""What watch tells by --notify: which changes from one look at an experiment to the next are alerts."""

import contextlib
import shlex
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from tracking.cli.ranking import rank
from tracking.cli.toolkit import output
from tracking.notify import Alert, AlertEvent, Outbox, Paced, parse_option
from tracking.process.program import command
from tracking.records import RunRecord, RunStatus
from tracking.search.catalog import Catalog
from tracking.values.units import counted

QUIET_S = 15.0  # without a running run until all have ended: the next one of a script may be about to start
CLOSE_S = 2.0  # how long Ctrl-C waits for what is being sent

NotifyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--notify",
        metavar="ADDRESS",
        help="Send alerts here: command:..., https://..., smtp://..., slack://...; may be repeated.",
    ),
]
Rows = Sequence[Mapping[str, Any]]


@contextlib.contextmanager
def watching(
    catalog: Catalog, experiment: str, notify: Sequence[str] | None
) -> Iterator[Callable[[Rows], None]]:
    """Give a function that takes the runs of each look, with run_id and status, and sends the alerts."""
    outbox = Outbox(parse_option(notify, "--notify"), output.warn)
    watcher = Watcher(catalog, experiment, outbox.send)
    try:
        yield watcher.look if notify else lambda _rows: None
    finally:
        outbox.close(CLOSE_S)


class Watcher:
    """Compares the runs of an experiment with those of the last look; what was there at the first one is no news."""

    def __init__(
        self,
        catalog: Catalog,
        experiment: str,
        send: Callable[[Alert], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._experiment = experiment
        self._send = send
        self._clock = clock
        self._states: dict[str, RunStatus] | None = None
        self._best: tuple[str, float] | None = None  # the metric and its best value so far
        self._news = Paced(lambda: self._send(self._found), clock=clock)
        self._found: Alert
        self._ended: Counter[RunStatus] = Counter()  # since the last time that all had ended
        self._quiet_since: float | None = None

    def look(self, rows: Rows) -> None:
        """Send what has changed."""
        states = {str(row["run_id"]): RunStatus(row["status"]) for row in rows}
        if self._states is None:
            self._take_best(self._catalog.records(self._experiment), None)
        else:
            before = self._states
            ended = [
                run
                for run, state in states.items()
                if state is not RunStatus.RUNNING and before.get(run, RunStatus.RUNNING) is RunStatus.RUNNING
            ]
            self._take_ended({run: states[run] for run in ended})
        self._states = states
        self._take_quiet(RunStatus.RUNNING in states.values())

    def _take_ended(self, ended: Mapping[str, RunStatus]) -> None:
        if not ended:
            return
        self._ended.update(ended.values())
        self._quiet_since = None
        records = self._catalog.records(self._experiment)
        bad = (RunStatus.FAILED, RunStatus.KILLED)
        failed = [run for run in records if ended.get(run.run_id) in bad and not run.is_superseded]
        if failed:
            first = failed[0]
            what = f"run {first.run_id}" if len(failed) == 1 else counted(len(failed), "run")
            error = first.error or f"{first.run_id} was {first.status}"
            self._tell(
                AlertEvent.FAILED, f"{what} of {self._experiment}", f"show {first.run_id}", error=error
            )
        self._take_best(records, ended)

    def _take_best(self, records: Sequence[RunRecord], ended: Mapping[str, RunStatus] | None) -> None:
        """Note the best value; an alert tells of one that a run in `ended` has, better by the metric of before."""
        ranking = rank([run for run in records if run.status is RunStatus.COMPLETED], None, None)
        best, before = ranking.best, self._best
        value = None if best is None else ranking.objective.value(best)
        if best is None or value is None:
            return
        metric = ranking.objective.label
        known = before[1] if before and before[0] == metric else None
        self._best = (metric, value)
        is_news = before is None or (known is not None and ranking.objective.better(value, known))
        if ended is not None and best.run_id in ended and is_news:
            self._found = self._alert(
                AlertEvent.BEST,
                f"experiment {self._experiment}",
                f"show {best.run_id}",
                metric=metric,
                value=value,
                before=known,
                run=best.run_id,
            )
            self._news.note()

    def _take_quiet(self, is_running: bool) -> None:
        if is_running or not self._ended:
            self._quiet_since = None
            return
        if self._quiet_since is None:
            self._quiet_since = self._clock()
        if self._clock() - self._quiet_since < QUIET_S:
            return
        counts = {str(state): self._ended[state] for state in RunStatus if self._ended[state]}
        best = dict(zip(("metric", "value"), self._best or (), strict=False))
        look = f"best {shlex.quote(self._experiment)}"
        self._tell(AlertEvent.FINISHED, f"experiment {self._experiment}", look, runs=counts, **best)
        self._ended.clear()

    def _tell(self, event: AlertEvent, subject: str, look: str, **facts: Any) -> None:
        self._send(self._alert(event, subject, look, **facts))

    def _alert(self, event: AlertEvent, subject: str, look: str, **facts: Any) -> Alert:
        store = shlex.quote(str(self._catalog.store.paths.base.absolute()))
        closer = {"host": socket.gethostname(), "look": command(f"{look} --store {store}")}
        return Alert.of(event, subject=subject, experiment=self._experiment, **facts, **closer)
