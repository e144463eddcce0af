"""A run as JSON has it on the command line."""

from typing import Any

from tracking.records import RunRecord


def facts(run: RunRecord) -> dict[str, Any]:
    """All that a record says, with the last value of each metric."""
    return {
        "run_id": run.run_id,
        "experiment_name": run.experiment_name,
        "status": run.status.value,
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "tags": run.tags,
        "description": run.description,
        "run_dir": str(run.run_dir),
        "params": run.params,
        "metrics": {name: summary.last for name, summary in run.summary.items()},
        "sweep": run.sweep,
        "data": run.data,
        "error": run.error,
    }
