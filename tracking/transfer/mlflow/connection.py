"""A connection to MLflow, whatever keeps its data; every failure is one sentence.

The library is imported when a connection is opened, so that whoever does not export never needs it.
"""

import importlib
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tracking.errors import InvalidNameError, InvalidValueError, TrackingError, quoted
from tracking.extras import require
from tracking.transfer.mlflow.translation import UID, Sent

BATCH = 1000  # points that one call of log_batch may hold
FEW = 100  # parameters or tags that it may hold

KIND = {"mlflow.experimentKind": "custom_model_development"}  # or its pages open those for language models
DATABASE_ENDINGS = (".db", ".sqlite", ".sqlite3")
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*://|databricks", re.IGNORECASE)
# An export is asked for by name: it reports to nobody else, and does not wait minutes for a server that is down.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}


def checked_uri(to: str) -> str:
    """Return where to export to as MLflow names it; the path of a file means SQLite, that of a folder its file store."""
    if not isinstance(to, str) or not to.strip() or "\0" in to:
        raise InvalidNameError(
            f"{quoted(to)} is no place to export to; give one such as sqlite:///mlflow.db or http://localhost:5000"
        )
    if _SCHEME.match(to):
        return to
    path = Path(to).expanduser().absolute()
    if path.is_file() or path.suffix in DATABASE_ENDINGS:
        return f"sqlite:///{path}"
    return path.as_uri()


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite address; None for any other."""
    scheme, _, rest = uri.partition(":///")
    return Path(rest.partition("?")[0]).absolute() if scheme.split("+")[0] == "sqlite" and rest else None


class Connection:
    """The calls that an export makes, of one MLflow."""

    def __init__(self, uri: str) -> None:
        """Open the connection; raise TrackingError if no MLflow answers there."""
        self.uri = uri
        path = sqlite_path(uri)
        if path and not path.parent.is_dir():
            raise TrackingError(f"there is no folder {str(path.parent)!r} for the database {uri}")
        self._mlflow = _library()
        self._failures = _failures()
        self._experiments: dict[str, str] = {}
        with self._telling():
            self.client = self._mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
            self._ids = self._experiment_ids()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            raise TrackingError(_sentence(self.uri, error)) from None

    def _experiment_ids(self) -> list[str]:
        found, token = [], None
        while True:
            page = self.client.search_experiments(view_type=self._all(), page_token=token)
            found += [each.experiment_id for each in page]
            token = page.token
            if not token:
                return found

    def _all(self) -> int:
        return int(self._mlflow.entities.ViewType.ALL)

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, which is created if it is new."""
        if name not in self._experiments:
            with self._telling():
                known = self.client.get_experiment_by_name(name)
                if known is None:
                    known_id = self.client.create_experiment(
                        name, artifact_location=self._artifacts_of(name), tags=KIND
                    )
                    self._ids.append(known_id)
                elif known.lifecycle_stage == "deleted":
                    raise TrackingError(
                        f"the experiment {name!r} is deleted in {self.uri}; to bring it back: "
                        f"mlflow experiments restore --experiment-id {known.experiment_id}"
                    )
                else:
                    known_id = known.experiment_id
            self._experiments[name] = known_id
        return self._experiments[name]

    def _artifacts_of(self, name: str) -> str | None:
        """Return where artifacts go: beside a database, which has no place of its own; None if MLflow knows one."""
        path = sqlite_path(self.uri)
        if path is None:
            return None
        folder = re.sub(r"[^\w.\-]", "_", name)[:80]
        return (path.parent / "mlartifacts" / f"{folder}-{os.urandom(4).hex()}").as_uri()

    def find(self, uid: str, *, run_id: str) -> Any:
        """Return the run with a tag UID, or with this id in MLflow, deleted ones too; None without any."""
        with self._telling():
            query = f'tags.`{UID}` = "{uid}"'
            found = self.client.search_runs(self._ids, query, run_view_type=self._all(), max_results=1)
            if not found and re.fullmatch("[0-9a-f]{32}", run_id):  # the run came from an MLflow
                query = f"attributes.run_id = '{run_id}'"
                found = self.client.search_runs(self._ids, query, run_view_type=self._all(), max_results=1)
            return found[0] if found else None

    def create(self, experiment: str, name: str, start: int, tags: Mapping[str, str]) -> Any:
        """Create a run that is going on."""
        with self._telling():
            return self.client.create_run(experiment, start_time=start, tags=dict(tags), run_name=name)

    def log(self, run_id: str, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Add parameters and tags."""
        Param, RunTag = self._mlflow.entities.Param, self._mlflow.entities.RunTag  # noqa: N806 - classes
        with self._telling():
            for some in _parts(list(params.items()), FEW):
                self.client.log_batch(run_id, params=[Param(*each) for each in some])
            for some in _parts(list(tags.items()), FEW):
                self.client.log_batch(run_id, tags=[RunTag(*each) for each in some])

    def log_points(self, run_id: str, points: Sequence[tuple[str, Sent]]) -> Iterator[int]:
        """Add points of metrics, and yield the number of each batch once it is there."""
        Metric = self._mlflow.entities.Metric  # noqa: N806 - a class
        for some in _parts(points, BATCH):
            with self._telling():
                self.client.log_batch(run_id, metrics=[Metric(name, *point) for name, point in some])
            yield len(some)

    def points(self, run_id: str, name: str) -> list[Sent]:
        """Return the points of a metric that MLflow has."""
        with self._telling():
            found = self.client.get_metric_history(run_id, name)
            return [Sent(each.value, each.timestamp, each.step) for each in found]

    def log_file(self, run_id: str, path: Path, folder: str) -> None:
        """Add a file to the artifacts of a run."""
        with self._telling():
            self.client.log_artifact(run_id, str(path), folder or None)

    def end(self, run_id: str, status: str, moment: int | None) -> None:
        """Give a run its status, and the time of its end if it has ended."""
        with self._telling():
            if moment is None:
                self.client.update_run(run_id, status=status)
            else:
                self.client.set_terminated(run_id, status, moment)

    @contextmanager
    def registry(self) -> Iterator[Any]:
        """Give the client for calls of its model registry."""
        with self._telling():
            yield self.client


@contextmanager
def quiet() -> Iterator[None]:
    """Let MLflow report nothing to its makers, print nothing, and give up soon, unless the user's variables say so."""
    before = {name: os.environ.get(name) for name in _QUIET}
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    os.environ.update({name: value for name, value in _QUIET.items() if before[name] is None})
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _library() -> Any:
    try:
        mlflow = importlib.import_module("mlflow")
        importlib.import_module("mlflow.entities")
    except ImportError as error:
        require("mlflow")
        raise TrackingError(f"MLflow is installed but cannot be imported: {error}") from None
    version = str(getattr(mlflow, "__version__", "0"))
    if int(version.split(".")[0]) < 2:
        raise TrackingError(
            f"MLflow {version} is installed, and the export needs 2.0: pip install 'podium[mlflow]'"
        )
    for name in ("mlflow", "alembic"):  # both set their own levels when they are imported
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow


def _failures() -> tuple[type[BaseException], ...]:
    """Return what a call of MLflow raises when it cannot be answered."""
    found: list[type[BaseException]] = [OSError, importlib.import_module("mlflow.exceptions").MlflowException]
    for module, name in (("sqlalchemy.exc", "SQLAlchemyError"), ("alembic.util", "CommandError")):
        with suppress(ImportError):  # without it no database can be opened either, and MLflow says so
            found.append(getattr(importlib.import_module(module), name))
    return tuple(found)


def _sentence(uri: str, error: BaseException) -> str:
    """Return what went wrong and what to do, for an error that MLflow raised."""
    text = " ".join(str(error).split())
    low = text.lower()
    shown = without_password(uri)
    if "connection refused" in low or "max retries" in low or "name or service" in low or "timed out" in low:
        return f"no server answers at {shown}; start one (mlflow server) or give another address with --to"
    if "out-of-date database schema" in low:
        return f"{shown} was made by an older MLflow; bring it up to date with a copy at hand: mlflow db upgrade {shown}"
    if "can't locate revision" in low:
        return f"{shown} was made by a newer MLflow than the one installed here; upgrade it: pip install -U mlflow"
    if "not a database" in low or "malformed" in low:
        return f"{shown} is no SQLite database; name another file"
    if "maintenance mode" in low or "file store" in low or "filesystem tracking backend" in low:
        return f"MLflow no longer writes into folders such as {shown}; export into a database: --to sqlite:///mlflow.db"
    if uri.startswith("http") and (
        "404" in low
        or "not valid json" in low
        or "expecting value" in low
        or "response body" in low
        or "405" in low
        or "501" in low
    ):
        return f"{shown} answers, and not as MLflow does ({_cut(text, 120)}); give the address of an MLflow server with --to"
    if "no module named" in low or "unsupportedmodelregistrystoreuri" in low or "not supported" in low:
        return f"MLflow here cannot open {shown} ({_cut(text)}); install all it needs: pip install 'podium[mlflow]'"
    return f"MLflow at {shown} refused: {_cut(text)}"


def without_password(uri: str) -> str:
    """Return an address as messages show it."""
    return re.sub(r"//[^/@]*@", "//***@", uri)


def _cut(text: str, length: int = 300) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def check_target(to: str | None) -> str:
    """Return where to export to; raise InvalidValueError if nothing was said."""
    if to is None:
        raise InvalidValueError(
            "--format mlflow needs --to: sqlite:///mlflow.db, the address of a server such as "
            "http://localhost:5000, or the path of a database"
        )
    return checked_uri(to)
