"""Several runs side by side: their parameters with what differs, their metrics, their tags."""

from collections.abc import Mapping, Sequence
from typing import Any

from tracking.browse import cells
from tracking.errors import InvalidValueError
from tracking.objective import usual_direction
from tracking.records import RunRecord
from tracking.repeats import key_of
from tracking.search.index import View

MOST_RUNS = 1000


def check_number(run_ids: Sequence[str]) -> None:
    """Raise InvalidValueError for more runs than a comparison holds."""
    if len(run_ids) > MOST_RUNS:
        raise InvalidValueError(f"{len(run_ids)} runs are too many to compare; choose up to {MOST_RUNS}")


def comparison_of(view: View, wanted: Sequence[str], numbers: Mapping[str, int]) -> dict[str, Any]:
    """Return the comparison of the wanted runs that have numbers; the others are `missing`."""
    runs = view.records([numbers[run_id] for run_id in wanted if run_id in numbers])
    return {
        "runs": [_about(run) for run in runs],
        "params": _rows([run.params for run in runs]),
        "metrics": [
            _metric(name, runs) for name in dict.fromkeys(name for run in runs for name in run.summary)
        ],
        "tags": _rows([run.tags for run in runs]),
        "missing": [cells.value(run_id) for run_id in wanted if run_id not in numbers],
    }


def _about(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "experiment": cells.value(run.experiment_name),
        "status": run.status.value,
        "created_at": cells.moment(run.created_at),
        "sweep": cells.value((run.sweep or {}).get("id")),
        "objective": cells.value((run.sweep or {}).get("objective")),
    }


def _rows(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for run in runs for name in run)
    rows = []
    for name in names:
        given = {key_of(run[name]) if name in run else None for run in runs}
        values = [cells.value(run.get(name)) for run in runs]
        rows.append({"name": cells.value(name), "values": values, "differs": len(given) > 1})
    return rows


def _metric(name: str, runs: Sequence[RunRecord]) -> dict[str, Any]:
    found = [run.summary.get(name) for run in runs]
    parts = {"last": "last", "min": "min", "max": "max", "step": "last_step", "count": "count"}
    shown = {
        key: [each and cells.value(getattr(each, part)) for each in found] for key, part in parts.items()
    }
    return {"name": cells.value(name), "mode": usual_direction(name), **shown}
