"""Trials of Optuna's studies, from a storage or from a study in memory. Reading goes through Optuna, and changes nothing.

A finished trial becomes a run: its value is the metric `objective`, its intermediate values are `intermediate_value`, with
the steps that they were reported at.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidNameError, InvalidValueError, TrackingError, quoted
from tracking.extras import require
from tracking.files import regular
from tracking.records import RunStatus
from tracking.transfer.found_runs import FoundRun, Item, Point
from tracking.transfer.origin import Origin
from tracking.transfer.sqlite_source import is_database, opened
from tracking.values import jsontext
from tracking.values.checks import tag_values
from tracking.values.names import check_path
from tracking.values.returned import OBJECTIVE
from tracking.values.secrets import masked_text

if TYPE_CHECKING:  # most imports are of something else
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

INTERMEDIATE = "intermediate_value"
TRIAL_FILE = "optuna-trial.json"
NOT_ENDED = "the trial is running; if its process is gone, add --running"

_STATUSES = {
    "COMPLETE": RunStatus.COMPLETED,
    "PRUNED": RunStatus.PRUNED,
    "FAIL": RunStatus.FAILED,
    "RUNNING": RunStatus.KILLED,
}
_FAULTS = (
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)  # of what is no storage, or damaged
_SQLITE = re.compile(r"sqlite(\+\w+)?:///")


class OptunaTrials:
    """A `Source`: the trials of one or more studies. Trials that wait to be run are none."""

    def __init__(self, studies: Mapping[str, "Study"], place: str, *, with_running: bool = False) -> None:
        self._studies = studies
        self._with_running = with_running
        self._trials: dict[str, tuple[Study, FrozenTrial]] = {}
        self.place = place
        self.damaged: dict[str, str] = {}

    def items(self) -> Iterator[Item]:
        """Yield the trials, study by study, by their numbers."""
        for name, study in self._studies.items():
            for trial in study.get_trials(deepcopy=False):
                if trial.state.name not in _STATUSES:
                    continue
                shown = f"{name}/{trial.number}"
                self._trials[shown] = study, trial
                began = trial.datetime_start.isoformat() if trial.datetime_start else ""
                known = hashlib.sha256(f"{name}\n{trial.number}\n{began}".encode())
                yield Item(shown, Origin(shown, known.hexdigest()[:16]), name)

    def read(self, item: Item) -> FoundRun:
        """Return a whole trial; raise InvalidValueError for one that is running, unless those were asked for."""
        study, trial = self._trials[item.name]
        status = _STATUSES[trial.state.name]
        if status is RunStatus.KILLED and not self._with_running:
            raise InvalidValueError(NOT_ENDED)
        begun = _milliseconds(trial.datetime_start)
        ended = _milliseconds(trial.datetime_complete) or begun
        found = FoundRun(item, begun, ended, status, params=dict(trial.params))
        told = {"study": item.experiment, "trial": trial.number, "state": trial.state.name.lower()}
        found.tags = {f"optuna.{key}": value for key, value in told.items()} | _attributes(trial.user_attrs)
        if status is RunStatus.FAILED:
            reason = trial.system_attrs.get("fail_reason")
            found.error = str(reason) if reason else "the trial failed; Optuna keeps no error"
        for step, value in sorted(trial.intermediate_values.items()):
            found.points.setdefault(INTERMEDIATE, []).append(Point(step, value, ended))
        for name, value in zip(_names(study), trial.values or (), strict=False):
            found.points.setdefault(name, []).append(Point(None, value, ended))
        content = {
            "study": study.study_name,
            "directions": [each.name.lower() for each in study.directions],
            "distributions": {name: _described(each) for name, each in trial.distributions.items()},
            "user_attrs": trial.user_attrs,
            "system_attrs": trial.system_attrs,
        }
        found.describe(TRIAL_FILE, content)
        return found

    def close(self) -> None:
        """Do nothing: each connection was closed once it had answered."""


def open_study(study: "Study", *, with_running: bool = False) -> OptunaTrials:
    """Return the trials of a study that a program has at hand."""
    return OptunaTrials({study.study_name: study}, "optuna", with_running=with_running)


def open_studies(address: str, *, with_running: bool = False) -> OptunaTrials:
    """Return the trials of all studies in a storage: a database or its address, or the file of a journal storage.

    A SQLite database is opened for reading only. Raise TrackingError for what Optuna cannot open.
    """
    require("search")
    import optuna
    from sqlalchemy.exc import SQLAlchemyError  # which Optuna brings

    shown = masked_text(address)
    try:
        storage = _storage(address)
        names = [each.study_name for each in storage.get_all_studies()]
        studies = {name: optuna.load_study(study_name=name, storage=storage) for name in names}
    except TrackingError:
        raise
    except (optuna.exceptions.OptunaError, SQLAlchemyError, *_FAULTS) as error:
        reason = masked_text(" ".join(str(error).split())[:300])
        raise InvalidValueError(f"{quoted(shown)} cannot be read as a storage of Optuna: {reason}") from None
    if "://" not in address:
        shown = os.path.realpath(address)
    return OptunaTrials(studies, shown, with_running=with_running)


def is_storage(path: Path) -> bool:
    """Return whether a file is a storage of Optuna: a SQLite database with its tables, or a journal."""
    import sqlite3
    from contextlib import closing

    if not regular.is_file(path):
        return False
    if is_database(path):
        try:
            with closing(opened(path)) as sql:
                names = {
                    name for (name,) in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                }
        except sqlite3.Error:
            return False
        return {"studies", "trials", "trial_params"} <= names
    return _is_journal(path)


def _is_journal(path: Path) -> bool:
    """Return whether the first line of a file is an operation of Optuna's journal."""
    with suppress(ValueError), regular.open_file(path) as file:
        first = jsontext.decode(file.read(4096).partition(b"\n")[0])
        return isinstance(first, dict) and {"op_code", "worker_id"} <= first.keys()
    return False


def _storage(address: str) -> "BaseStorage":
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy.pool import NullPool

    # A pool would leave connections to the garbage collector, also those to what is no storage; Python 3.13 warns of each.
    without_pool = {"poolclass": NullPool}
    sqlite = _SQLITE.match(address)
    if re.match(r"[a-z][a-z0-9+]*://", address) and not sqlite:
        return RDBStorage(address, without_pool, skip_table_creation=True)
    named = address[sqlite.end() :].partition("?")[0] if sqlite else address
    path = check_path("storage", named, example="study.db")
    if not path.is_file():
        raise InvalidNameError(f"there is no file {str(path)!r}; give a storage of Optuna, such as study.db")
    path = path.resolve()  # the user may name a link
    if is_database(path):
        # SQLAlchemy would unquote the path
        of_file = {**without_pool, "creator": lambda: opened(path)}
        return RDBStorage("sqlite://", of_file, skip_table_creation=True)
    if not _is_journal(path):
        raise InvalidValueError(f"{str(path)!r} is neither a database nor a journal of Optuna")
    return JournalStorage(JournalFileBackend(str(path)))


def _names(study: "Study") -> list[str]:
    if study.metric_names:
        return list(study.metric_names)
    if len(study.directions) == 1:
        return [OBJECTIVE]
    return [f"{OBJECTIVE}_{number}" for number in range(len(study.directions))]


def _milliseconds(moment: datetime | None) -> int:
    return (
        round(moment.astimezone().timestamp() * 1000) if moment else 0
    )  # Optuna's times are local, without a zone


def _attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's attributes that can be tags; the file beside them has all."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        if isinstance(value, str | int | float | bool | None):
            with suppress(InvalidNameError, InvalidValueError):
                found |= tag_values({name: value})
    return found


def _described(distribution: "BaseDistribution") -> Any:
    """Return a distribution as JSON has it; one of choices that JSON does not know stays itself."""
    from optuna.distributions import distribution_to_json

    with suppress(TypeError, ValueError):
        return jsontext.decode(distribution_to_json(distribution).encode())
    return distribution
