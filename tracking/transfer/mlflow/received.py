"""What is kept of a run of MLflow: parameters with their types, tags, points, and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracking.errors import InvalidNameError, InvalidValueError, quoted
from tracking.metrics.sources import History
from tracking.records import RunStatus
from tracking.transfer.foreign_times import Clock
from tracking.transfer.found_runs import Ready, checked
from tracking.transfer.mlflow import translation
from tracking.transfer.mlflow.foreign import ForeignContent, ForeignRun
from tracking.transfer.mlflow.sent_record import PLACE, SentRecord
from tracking.transfer.mlflow.steps import StepNumbers
from tracking.transfer.origin import Origin, parse_origin
from tracking.values import jsontext
from tracking.values.checks import param_values, step_value, tag_values
from tracking.values.names import check_label
from tracking.values.secrets import masked_text
from tracking.version import __version__


@dataclass(frozen=True)
class Received(Ready):
    """A run of MLflow as it will be kept; `is_ours`: our export had sent it."""

    is_ours: bool


def receive(run: ForeignRun, place: Path, content: ForeignContent, artifacts: Path | None = None) -> Received:
    """Return what is kept of a run; raise InvalidNameError or InvalidValueError if it cannot be one of a store.

    Among its `artifacts` is what our export recorded of the steps of its points.
    """
    origin = parse_origin(content.tags.get(translation.UID, ""))
    told = {name: text for name, text in content.tags.items() if origin and name in translation.RESERVED}
    tags = {name: text for name, text in content.tags.items() if name not in told}
    names, clock, damaged = _object(told.get(translation.NAMES)), Clock(), list(content.damaged)
    description = tags.pop(translation.NOTE, "")
    name = tags.pop(translation.RUN_NAME, run.name)
    if name and (origin is None or name != origin.run_id):
        tags[translation.RUN_NAME] = name
    record = SentRecord.read(artifacts / PLACE) if artifacts and translation.STEPS in told else None
    if record is None and translation.STEPS in told:
        damaged.append(f"the steps of some points, which get numbers, as its artifact {PLACE} cannot be read")
    history = _history(content, names, record.steps if record else {}, clock, damaged)
    moments = (moment for points in content.points.values() for _, moment, _ in points)
    end = run.end if run.end is not None else max(moments, default=run.start or 0)
    if end < (run.start or 0):
        damaged.append("its end, which is before its start")
        end = run.start or 0
    fingerprint = told.get(translation.FINGERPRINT)
    known = origin or Origin(run.run_id, run.run_id)
    entry = {
        "version": __version__,
        "uid": known.uid,
        "experiment_name": check_label("experiment name", run.experiment),
        "created_at": clock.text(run.start or 0),
        "finished_at": clock.text(end),
        "status": _status(run, told),
        "tags": checked(_renamed(tags, names, "tags"), tag_values, damaged),
        "description": masked_text(description),
        "sweep": None,
        "data": {} if fingerprint is None else {"fingerprint": fingerprint},
        "error": masked_text(told[translation.ERROR]) if translation.ERROR in told else None,
        "imported_from": {"store": str(place.resolve()), "run_id": known.run_id, "mlflow_run_id": run.run_id},
    }
    texts = _renamed(content.params, names, "params")
    values = {name: translation.value_of(text) for name, text in texts.items()}
    params = checked(values, param_values, damaged)
    return Received(known, entry, params, history, damaged, [], is_ours=origin is not None)


def _status(run: ForeignRun, told: Mapping[str, str]) -> RunStatus:
    if run.status is RunStatus.RUNNING:
        return RunStatus.KILLED
    said = told.get(translation.STATUS, "")
    is_other = run.status is RunStatus.COMPLETED and said in translation.AS_FINISHED
    return RunStatus(said) if is_other else run.status


def _history(
    content: ForeignContent,
    names: Mapping[str, Any],
    numbers: Mapping[str, StepNumbers],
    clock: Clock,
    damaged: list[str],
) -> History:
    found: History = {}
    for sent, name in _originals(content.points, names, "metrics").items():
        told = numbers.get(sent, StepNumbers())
        without = set(told.without)
        try:
            points = found.setdefault(check_label("metric name", name), [])
        except InvalidNameError as error:
            damaged.append(str(error))
            continue
        for step, moment, value in sorted(content.points[sent], key=lambda point: point[:2]):
            try:
                stamp = clock.text(moment)
                at = None if step in without else step_value(told.steps.get(step, step))
            except InvalidValueError as error:
                damaged.append(f"a point of the metric {quoted(name)}: {error}")
            else:
                points.append({"step": at, "value": value, "timestamp": stamp})
    return {name: points for name, points in found.items() if points}


def _renamed(values: Mapping[str, str], names: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {name: values[sent] for sent, name in _originals(values, names, kind).items()}


def _originals(values: Mapping[str, Any], names: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Return the name of each value before our export changed it, by its name in MLflow."""
    changed = names.get(kind)
    changed = changed if isinstance(changed, dict) else {}
    return {sent: str(changed.get(sent, sent)) for sent in values}


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = jsontext.decode((text or "{}").encode())
    except ValueError:  # it was cut, or somebody changed it
        return {}
    return value if isinstance(value, dict) else {}
