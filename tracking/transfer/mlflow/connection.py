"""A connection to MLflow, whatever keeps its data; every failure is one sentence.

The library is imported when a connection is opened, so that whoever does not export never needs it.
"""

import importlib
import logging
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tracking.errors import TrackingError
from tracking.extras import require
from tracking.transfer.mlflow.sent_record import NAME, PLACE, SentRecord
from tracking.transfer.mlflow.targets import check_database, shown, sqlite_path
from tracking.transfer.mlflow.translation import FILES, STEPS, UID, Sent

BATCH = 1000  # points that one call of log_batch may hold
FEW = 100  # parameters or tags that it may hold

KIND = {"mlflow.experimentKind": "custom_model_development"}  # or its pages open those for language models
CLAIMS = 5  # times that a run is made again because another export made it at the same moment
# What the text of an error means: no other run can be sent either, or only this one.
UNAVAILABLE = {
    ("connection refused", "max retries", "name or service", "timed out", "failed to resolve"): (
        "no server answers at {place}; start one (mlflow server) or give another address with --to"
    ),
    ("database is locked",): (
        "another program writes into {place} and keeps it locked; stop that one or wait, then export again"
    ),
    ("readonly database", "read-only database", "unable to open database"): (
        "{place} cannot be written by this user; change its rights or give another place with --to"
    ),
    (
        "disk is full",
        "no space left",
        "database or disk",
    ): "no space is left for {place}; free some, then export again",
    ("not a database", "malformed"): "{place} is no SQLite database; name another file",
}
REFUSED = {
    ("already exists",): "{place} was changed by another program at the same moment; export again",
    ("out-of-date database schema",): (
        "{place} was made by an older MLflow; bring it up to date with a copy at hand: mlflow db upgrade {place}"
    ),
    ("can't locate revision",): (
        "{place} was made by a newer MLflow than the one installed here; upgrade it: pip install -U mlflow"
    ),
    ("maintenance mode", "file store", "filesystem tracking backend"): (
        "MLflow no longer writes into folders such as {place}; export into a database: --to sqlite:///mlflow.db"
    ),
    ("unsupportedmodelregistrystoreuri", "not supported"): (
        "MLflow here cannot open {place} ({text}); install all it needs: pip install 'podium[mlflow]'"
    ),
}
NO_MLFLOW = ("404", "405", "501", "not valid json", "expecting value", "response body")
# An export is asked for by name: it reports to nobody else, and does not wait minutes for a server that is down.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}


class UnavailableError(TrackingError):
    """MLflow cannot be reached or written at all, so that no other run can be sent either."""


class Connection:
    """The calls that an export makes, of one MLflow."""

    def __init__(self, uri: str, *, sleep: Callable[[float], object] = time.sleep) -> None:
        """Open the connection; raise TrackingError if no MLflow answers there."""
        self.uri, self._sleep = uri, sleep
        if path := sqlite_path(uri):
            check_database(path)
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
        except TrackingError:
            raise
        except self._failures as error:
            raise failure(self.uri, error) from None

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

    def experiment(self, name: str, *, make: bool = True) -> str:
        """Return the id of an experiment, which is created if it is new; "" for a new one that is not to be made."""
        if name not in self._experiments:
            with self._telling():
                known = self.client.get_experiment_by_name(name)
                if known is not None and known.lifecycle_stage == "deleted":
                    raise TrackingError(
                        f"its experiment {name!r} is deleted in MLflow; to bring it back: "
                        f"mlflow experiments restore --experiment-id {known.experiment_id}"
                    )
                if known is None and not make:
                    return ""
                self._experiments[name] = known.experiment_id if known else self._make_experiment(name)
        return self._experiments[name]

    def _make_experiment(self, name: str) -> str:
        try:
            made = self.client.create_experiment(name, artifact_location=self._artifacts_of(name), tags=KIND)
        except self._failures:
            known = self.client.get_experiment_by_name(name)  # another export made it at the same moment
            if known is None:
                raise
            made = known.experiment_id
        self._ids.append(str(made))
        return str(made)

    def _artifacts_of(self, name: str) -> str | None:
        """Return where artifacts go: beside a database, which has no place of its own; None if MLflow knows one."""
        path = sqlite_path(self.uri)
        if path is None:
            return None
        folder = re.sub(r"[^\w.\-]", "_", name)[:80]
        return (path.parent / "mlartifacts" / f"{folder}-{os.urandom(4).hex()}").as_uri()

    def find(self, uid: str, *, run_id: str) -> Any:
        """Return the run with a tag UID, or with this id in MLflow, deleted ones too; None without any."""
        found = self._search(f'tags.`{UID}` = "{uid}"')
        if not found and re.fullmatch("[0-9a-f]{32}", run_id):  # the run came from an MLflow
            found = self._search(f"attributes.run_id = '{run_id}'")
        return min(found, key=lambda run: run.info.lifecycle_stage == "deleted", default=None)

    def _search(self, query: str) -> list[Any]:
        with self._telling():
            return list(
                self.client.search_runs(self._ids, query, run_view_type=self._all(), max_results=CLAIMS * 2)
            )

    def create(self, experiment: str, name: str, start: int, tags: Mapping[str, str]) -> tuple[Any, bool]:
        """Return a run that is going on and has a tag UID, and whether this call created it.

        A look after the creation finds what an export from elsewhere created at the same moment. Then this one takes
        its run away: of two that create, at least the later one sees both, so never do both stay.
        """
        query = f'tags.`{UID}` = "{tags[UID]}"'
        if experiment not in self._ids:
            self._ids.append(experiment)
        for _ in range(CLAIMS):
            with self._telling():
                made = self.client.create_run(experiment, start_time=start, tags=dict(tags), run_name=name)
                run_id = made.info.run_id
                found = [run for run in self._search(query) if run.info.lifecycle_stage != "deleted"]
                if all(run.info.run_id == run_id for run in found):
                    return made, True
                self.client.delete_tag(run_id, UID)  # or a later export would find it, deleted
                self.client.delete_run(run_id)
            self._sleep(random.uniform(0.1, 1))  # noqa: S311 - so that two exports do not meet again
            found = [run for run in self._search(query) if run.info.lifecycle_stage != "deleted"]
            if found:
                return found[0], False
        raise TrackingError("other exports send it at the same moment; export it again")

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

    def untag(self, run_id: str, names: Iterable[str]) -> None:
        """Take tags away."""
        with self._telling():
            for name in names:
                self.client.delete_tag(run_id, name)

    def log_file(self, run_id: str, path: Path, name: str) -> None:
        """Add a file to the artifacts of a run, under a name among them."""
        folder, _, last = name.rpartition("/")
        with self._telling(), tempfile.TemporaryDirectory(prefix="podium-") as place:
            if last != path.name:  # MLflow takes the name of the file
                link = Path(place, last)
                link.symlink_to(path.absolute())
                path = link
            self.client.log_artifact(run_id, str(path), folder or None)

    @property
    def is_server(self) -> bool:
        """Whether files go to a server, so that their names become parts of addresses."""
        return self.uri.lower().startswith("http")

    def record(self, run: Any) -> SentRecord:
        """Return what an earlier export recorded of a run."""
        run_id = run.info.run_id
        with self._telling(), tempfile.TemporaryDirectory(prefix="podium-") as place:
            is_there = any(each.path == PLACE for each in self.client.list_artifacts(run_id, FILES))
            path = Path(self.client.download_artifacts(run_id, PLACE, place) if is_there else place)
            found = SentRecord.read(path)
        if found is None and STEPS in run.data.tags:
            raise TrackingError(
                f"its artifact {PLACE} is missing or damaged in MLflow, so it is unknown which steps were sent; put it back"
            )
        return found or SentRecord()

    def keep_record(self, run_id: str, record: SentRecord) -> None:
        """Add the record of what was sent to the artifacts of a run."""
        with tempfile.TemporaryDirectory(prefix="podium-") as place:
            record.write(Path(place, NAME))
            self.log_file(run_id, Path(place, NAME), PLACE)

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
    """Return what a call of MLflow raises when it cannot be answered: its errors, and those of what it is made of."""
    found: list[type[BaseException]] = [
        *(OSError, ImportError, ValueError, TypeError, LookupError, AttributeError, RuntimeError),
        importlib.import_module("mlflow.exceptions").MlflowException,
    ]
    for module, name in (("sqlalchemy.exc", "SQLAlchemyError"), ("alembic.util", "CommandError")):
        with suppress(ImportError):  # without it no database can be opened either, and MLflow says so
            found.append(getattr(importlib.import_module(module), name))
    return tuple(found)


def failure(uri: str, error: BaseException) -> TrackingError:
    """Return what went wrong and what to do, for an error that MLflow raised."""
    # the statement and the address of a page on it help nobody here
    text = re.sub(r"\[SQL:.*|\(Background on this error.*", "", shown(" ".join(str(error).split()))).strip()
    low, place = text.lower(), shown(uri)
    for needles, sentence in UNAVAILABLE.items():
        if any(needle in low for needle in needles):
            return UnavailableError(sentence.format(place=place))
    if isinstance(error, ImportError) or "no module named" in low:
        return UnavailableError(f"MLflow here cannot open {place} ({_cut(text)}); {_driver(uri)}")
    for needles, sentence in REFUSED.items():
        if any(needle in low for needle in needles):
            return TrackingError(sentence.format(place=place, text=_cut(text)))
    if uri.startswith("http") and any(needle in low for needle in NO_MLFLOW):
        return TrackingError(
            f"{place} answers, and not as MLflow does ({_cut(text, 120)}); give the address of an MLflow server with --to"
        )
    return TrackingError(f"MLflow at {place} refused: {_cut(text) or type(error).__name__}")


def _driver(uri: str) -> str:
    scheme = uri.partition(":")[0].lower()
    if scheme in ("http", "https", "sqlite", "databricks"):
        return "install all it needs: pip install 'podium[mlflow]'"
    return (
        f"install the driver for {scheme}:// beside it, or name a SQLite database: --to sqlite:///mlflow.db"
    )


def _cut(text: str, length: int = 300) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
