"""The command that shows one run in full: show."""

from typing import Annotated, Any

import typer

from tracking.cli.columns import duration_s
from tracking.cli.provenance import artifacts, code_line, environment_lines, printed, read_optional
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.records import RunRecord
from tracking.store.store import Store
from tracking.values.units import format_clock

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


def show(
    run_id: RunArgument,
    lines: Annotated[
        int, typer.Option("--lines", metavar="N", min=0, help="Lines of its output to show.")
    ] = 10,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show one run in full.

    Status, parameters, metrics, code, environment, artifacts, and the end of its output.

    Example: python -m tracking show run_001
    """
    place = Store(store)
    run = place.scan.record(place.require(run_id))
    paths = place.paths.run(run_id)
    git, env = read_optional(paths.git), read_optional(paths.environment)
    if as_json:
        output.say_json(
            {
                **facts(run),
                "artifacts": artifacts(paths),
                "history": (place.full(run_id) or {})["metrics"],
                "git": git,
                "environment": env,
                "printed": printed(paths, lines),
            }
        )
        return
    output.title(f"{run.run_id}: {run.experiment_name}")
    output.say_facts(_headlines(run))
    _say_origin(git, env)
    say_params(run)
    _say_metrics(run)
    _say_list("Artifacts", artifacts(paths))
    _say_list(f"Output, the end of {paths.output.name}", printed(paths, lines))
    if run.error and paths.error.exists():
        output.say(f"\nTraceback: {paths.error}")


def facts(run: RunRecord) -> dict[str, Any]:
    """Return a run as JSON: all of its record, with the last value of each metric."""
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


def say_params(run: RunRecord) -> None:
    """Write the parameters under a headline, if there are any."""
    output.say_facts({name: output.param(value) for name, value in run.params.items()}, "Parameters")


def _headlines(run: RunRecord) -> dict[str, Any]:
    return {
        "Status": run.status.value,
        "Created": run.created_at,
        "Finished": run.finished_at,
        "Duration": format_clock(duration_s(run)) if run.finished_at else None,
        "Tags": ", ".join(f"{name}={value}" for name, value in run.tags.items()) or None,
        "Description": run.description or None,
        "Folder": run.run_dir,
        "Sweep": f"{run.sweep.get('id')}, job {run.sweep.get('job')}" if run.sweep else None,
        "Data": run.data.get("fingerprint"),
        "Error": run.error or None,
    }


def _say_origin(git: dict[str, Any], env: dict[str, Any]) -> None:
    lines = {"Code": code_line(git), **environment_lines(env)}
    if git.get("reproducible") is False:
        lines["Not reproducible"] = "; ".join(map(str, git.get("why_not") or ())) or None
    output.say_facts(lines, "Origin")


def _say_metrics(run: RunRecord) -> None:
    if run.summary:
        output.say("\nMetrics:")
        rows = [
            [name, s.last, s.min, s.min_step, s.max, s.max_step, s.count] for name, s in run.summary.items()
        ]
        tables.say_rows(["metric", "last", "min", "at", "max", "at", "points"], rows, keep=2)


def _say_list(headline: str, lines: list[str]) -> None:
    if lines:
        output.say(f"\n{headline}:")
        for line in lines:
            output.say(f"  {line}")
