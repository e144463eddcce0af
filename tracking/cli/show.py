"""The command that shows one run in full: show. It reads what the run's folder holds besides metrics."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError
from tracking.files import atomic, folders, regular
from tracking.paths import RunPaths
from tracking.records import RunRecord
from tracking.rerun import results_of
from tracking.store.scan import warn_left_out
from tracking.store.store import Store
from tracking.values.units import counted

TAIL_BYTES = 64 << 10  # of the output that is read for its last lines

_KINDS: dict[str, type] = {
    **dict.fromkeys(("changed", "untracked", "why_not", "repositories", "gpus"), list),
    **dict.fromkeys(("seeds", "env", "packages"), dict),
    "changed_count": int,
}

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
    again = results_of(paths)
    if as_json:
        output.say_json(
            {
                **facts(run),
                "artifacts": _artifacts(paths),
                "history": (place.full(run_id) or {})["metrics"],
                "git": git,
                "environment": env,
                "reruns": [each.to_json() for each in again],
                "printed": _printed(paths, lines),
            }
        )
        return
    output.title(f"{run.run_id}: {run.experiment_name}")
    output.say_facts(run.headlines())
    why_not = "; ".join(map(str, git.get("why_not") or ())) if git.get("reproducible") is False else ""
    origin = {"Code": _code_line(git), **_environment_lines(env), "Not reproducible": why_not or None}
    if again:
        origin["Made again"] = (
            f"{again[-1].at:%Y-%m-%d %H:%M}, {again[-1].verdict.value}: {again[-1].sentence}"
        )
    output.say_facts(origin, "Origin")
    say_params(run)
    _say_metrics(run)
    _say_list("Artifacts", _artifacts(paths))
    _say_list(f"Output, the end of {paths.output.name}", _printed(paths, lines))
    if run.error and regular.is_file(paths.error):
        output.say(f"\nTraceback: {paths.error}")


def facts(run: RunRecord) -> dict[str, Any]:
    """Return a run as JSON: all of its record, with the last value of each metric."""
    rest = {name: value for name, value in vars(run).items() if name != "summary"}
    return {**rest, "metrics": run.last_values}


def say_params(run: RunRecord) -> None:
    """Write the parameters under a headline, if there are any."""
    output.say_facts({name: output.param(value) for name, value in run.params.items()}, "Parameters")


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


def read_optional(path: Path) -> dict[str, Any]:
    """Return the object in git.json or env.json, without the items that are not what they should be, with a warning.

    It is empty if there is no file, or if that is damaged.
    """
    try:
        found = atomic.read_object(path)
    except FileNotFoundError:
        return {}
    except CorruptFileError as error:
        warn_left_out(error)
        return {}
    for name, kind in _KINDS.items():
        value = found.get(name)
        if value is not None and not isinstance(value, kind):
            fault = f"{name} that is {type(value).__name__}, not {kind.__name__}"
            warn_left_out(CorruptFileError(f"{path} has {fault}; repair or remove the file"))
            del found[name]
    return found


def _artifacts(paths: RunPaths) -> list[str]:
    """Return the names of the logged files."""
    found = folders.walk(paths.artifacts) if regular.is_folder(paths.artifacts) else ()
    return sorted(str(path.relative_to(paths.artifacts)) for path in found)


def _printed(paths: RunPaths, count: int) -> list[str]:
    """Return the last lines of the output."""
    try:
        with regular.open_file(paths.output) as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - TAIL_BYTES))
            text = stream.read(TAIL_BYTES).decode(errors="replace")  # the cut may be inside a character
    except FileNotFoundError:
        return []
    except CorruptFileError as error:
        warn_left_out(error)
        return []
    return text.splitlines()[-count:] if count else []


def _code_line(git: dict[str, Any]) -> str | None:
    """Return the code in a line: its commit, its branch, its changes."""
    if not git:
        return None
    commit = git.get("commit")
    words = [str(commit)[:12] if commit else "no commit"]
    if git.get("branch"):
        words.append(f"on {git['branch']}")
    if git.get("dirty"):
        count = (git.get("changed_count") or len(git.get("changed") or ())) + len(git.get("untracked") or ())
        what = counted(count, "changed file") if count else "changes"
        words.append(f"with {what}")
    return " ".join(words)


def _environment_lines(env: dict[str, Any]) -> dict[str, str]:
    """Return the known facts of the environment, by headline."""
    gpus = [str(gpu.get("name") or "GPU") for gpu in env.get("gpus") or () if isinstance(gpu, dict)]
    command = env.get("argv") or env.get("command")
    lines = {
        "Command": " ".join(map(str, command)) if isinstance(command, list) else command,
        "Working folder": env.get("cwd"),
        "Host": env.get("host"),
        "Python": env.get("python"),
        "Platform": env.get("platform"),
        "GPUs": ", ".join(gpus),
        "Seeds": ", ".join(f"{name}={seed}" for name, seed in (env.get("seeds") or {}).items()),
        "Packages": f"{len(env['packages'])}" if env.get("packages") else None,
    }
    return {name: str(line) for name, line in lines.items() if line}
