"""The user's program in a job's process, and what all jobs of a sweep share."""

import contextlib
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.singleton import Singleton
from hydra.types import HydraContext, TaskFunction

from sweeps.errors import SettingsError
from sweeps.executor.failure_text import one_line, summary
from sweeps.executor.local.main_script import load_script, run_script, sweeps_before
from sweeps.executor.local.process_state import (
    ProcessState,
    choose_start_method,
    chosen_start_method,
    random_states,
)
from sweeps.executor.local.supplies import Delivery, Supplies, define_here, defined_here, deliver, marked
from sweeps.executor.local.surroundings import Surroundings
from sweeps.executor.many import with_others
from sweeps.plan.by_reference import describe_main, dumps, why_not
from sweeps.state.lock import hold_as_job


@dataclass(frozen=True)
class Common:
    """What all jobs of a sweep share.

    Each child holds the jobs' lock in `folder`, if one is given. With `wants_results` an outcome carries Hydra's own
    result, see `sweeps.executor.local.results`. Runs name the `objective`, its metric and mode. With `many`, the dotted
    name of a function, that does the task for several jobs at once, see `sweeps.executor.many`.
    """

    hydra_context: HydraContext
    task_function: TaskFunction
    sweep: str
    folder: Path | None = None
    wants_results: bool = False
    objective: Mapping[str, Any] | None = None
    many: str | None = None

    @property
    def task(self) -> TaskFunction:
        """What a job does."""
        return self.task_function if self.many is None else with_others(self.many)

    def packed(self) -> bytes:
        """Pickle this, Hydra's state in this process, and what a job may lack after it has run the script.

        Raise `SettingsError` for a task that cannot travel to a job.
        """
        instances = Singleton.get_state()["instances"]
        deliver.cache_clear()
        marked.cache_clear()
        definitions = {} if describe_main() else defined_here()
        try:
            body = dumps((instances, self, definitions, dumps(self.hydra_context.callbacks)))
        except Exception as error:  # whatever a user's class raises when it is pickled
            where = why_not(self.task_function)
            by_value = "" if describe_main() else "; jobs cannot import this program, so write it to a file"
            raise SettingsError(
                f"the task cannot be sent to a job: {where}{summary(error)}{by_value}"
            ) from error
        return pickle.dumps((Supplies.here(), chosen_start_method(), body))


class Start(NamedTuple):
    """How a job's process runs the script: which one, in which surroundings, past how many sweeps that it starts."""

    script: Mapping[str, str]
    surroundings: Surroundings
    sweeps_before: int

    @classmethod
    def of_this_process(cls) -> "Start":
        """Return how jobs run the script of this process."""
        return cls(describe_main(), Surroundings.at_start(), sweeps_before())


class Program:
    """The user's program in this process; `packed` is what `Common.packed` returned in the sweep's process."""

    def __init__(self, packed: bytes, start: Start, connection: Connection) -> None:
        self._packed = packed
        self._start = start
        self._connection = connection
        self._callbacks = b""
        self._fault: BaseException | None = None
        self._loaded: tuple[dict[Any, Any], Common] | None = None
        self._state: ProcessState | None = None
        self._faults: dict[str, str] = {}
        self.draws = False  # whether running the script has changed the random generators

    def run(self, jobs: Callable[[], None], held: Mapping[str, str], *, goes_on: bool) -> None:
        """Run the script, and `jobs` in place of its sweep; the script finds the variables that are `held`.

        With `goes_on` there may be several jobs.
        """
        states = random_states() if goes_on else {}
        script_runs = contextlib.ExitStack()

        def begin(fault: BaseException | None) -> None:
            script_runs.close()
            self.draws = goes_on and random_states() != states
            self._fault = fault
            jobs()

        try:
            script = load_script(self._start.script)
        except (SyntaxError, UnicodeError, ImportError) as error:  # it was edited
            begin(error)
            return
        if script is None:
            begin(None)
            return
        with script_runs:
            script_runs.enter_context(self._start.surroundings.around(held))
            run_script(script, begin, self._start.sweeps_before)

    def load(self, *, goes_on: bool, in_turns: bool = False) -> Common:
        """Return what the jobs share, with Hydra's state in place; raise what the script has raised.

        For one of several jobs that are `in_turns` the callbacks are its own, as they may remember their job.
        """
        if self._fault is not None:
            raise self._fault
        if self._loaded is None:
            supplies, method, body = pickle.loads(self._packed)  # noqa: S301 - from our own parent
            self._fetch(supplies.without(Supplies.like(supplies)))
            choose_start_method(method)
            instances, common, definitions, self._callbacks = pickle.loads(body)  # noqa: S301 - likewise
            define_here(definitions)
            self._loaded = instances, common
            if common.folder is not None:
                hold_as_job(common.folder)
            self._state = ProcessState() if goes_on else None
        instances, common = self._loaded
        # Not Singleton.set_state: that scans for plug-ins anew, which no job needs.
        Singleton._instances.update(instances)
        if in_turns:
            callbacks = pickle.loads(self._callbacks)  # noqa: S301 - likewise
            return replace(common, hydra_context=replace(common.hydra_context, callbacks=callbacks))
        return common

    def _fetch(self, lacking: Supplies) -> None:
        """Ask the sweep's process for what the script does not define here, or defines otherwise."""
        if lacking:
            self._connection.send_bytes(json.dumps({"kind": "lacks", **lacking.as_message()}).encode())
            delivery: Delivery = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - from our own parent
            self._faults = delivery.unpack()

    def explain(self, message: dict[str, Any]) -> dict[str, Any]:
        """Add to the message of a failed job why a name of the script is not defined in it."""
        error = str(message.get("error"))
        for name, fault in self._faults.items():
            if error == f"NameError: name {name!r} is not defined":
                why = f"only the sweep's own process sets it, and it cannot be copied from there: {fault}"
                return {**message, "error": one_line(f"{error}: {why}")}
        return message

    def can_run_another(self) -> bool:
        """Put back what a job has changed in this process; return False if that is impossible.

        A script that seeds the random generators, or draws from them, runs once for each job: its task would find
        other states after an earlier job.
        """
        return not self.draws and self._state is not None and self._state.restore()
