"""The command that compares two runs: diff."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tracking.cli.show import read_optional
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.files import atomic, regular
from tracking.store.store import Store
from tracking.values.names import natural_key
from tracking.values.plain import flat

Section = dict[str, Any]

HEADLINES = {
    "run": "Run",
    "params": "Parameters",
    "metrics": "Metrics, last values",
    "code": "Code",
    "environment": "Environment",
    "packages": "Packages",
}
_CODE = ("commit", "branch", "dirty", "remote", "folder", "reproducible")
_NOT_COMPARED = ("format", "packages", "argv")  # argv repeats command


def diff(
    first: Annotated[str, typer.Argument(metavar="RUN", help="A run's id.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="Another run's id.")],
    everything: Annotated[bool, typer.Option("--all", help="Also show what is equal.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show the differences between two runs.

    Parameters, metrics, code with its uncommitted changes, interpreter, machine, variables, packages.

    Example: python -m tracking diff run_001 run_002
    """
    place = Store(store)
    sides = [_sections(place, run_id) for run_id in (first, second)]
    sections = {name: _beside(sides[0][name], sides[1][name], everything=everything) for name in HEADLINES}
    if as_json:
        output.say_json({"runs": [first, second], **{name: dict(rows) for name, rows in sections.items()}})
        return
    output.title(f"{first} and {second}")
    for name, rows in sections.items():
        if rows:
            output.say(f"\n{HEADLINES[name]}:")
            _say_rows(name, rows, (first, second))
    if not any(sections.values()):
        output.say("All that is recorded of them is equal.")


def _say_rows(section: str, rows: list[tuple[str, list[Any]]], run_ids: tuple[str, str]) -> None:
    if section == "metrics":
        cells = [[name, *pair, None if None in pair else pair[1] - pair[0]] for name, pair in rows]
        tables.say_rows(["", *run_ids, "difference"], cells, keep=3)
    else:
        cells = [[name, *map(output.param, pair)] for name, pair in rows]
        tables.say_rows(["", *run_ids], cells, keep=3)


def _beside(first: Section, second: Section, *, everything: bool) -> list[tuple[str, list[Any]]]:
    names = sorted({*first, *second}, key=natural_key)
    pairs = [(name, [first.get(name), second.get(name)]) for name in names]
    return [(name, pair) for name, pair in pairs if everything or not _same(*pair)]


def _same(first: Any, second: Any) -> bool:
    # nan equals nan; 1 differs from True, not from 1.0
    if isinstance(first, bool) is not isinstance(second, bool):
        return False
    return bool(first == second) or (first != first and second != second)


def _sections(store: Store, run_id: str) -> dict[str, Section]:
    run = store.scan.record(store.require(run_id))
    paths = store.paths.run(run_id)
    git, env = read_optional(paths.git), read_optional(paths.environment)
    packages, command = env.get("packages"), env.get("command")
    compared = {name: value for name, value in env.items() if name not in _NOT_COMPARED}
    if isinstance(command, list):
        compared["command"] = " ".join(map(str, command))
    return {
        "run": {
            "experiment": run.experiment_name,
            "status": run.status.value,
            "description": run.description,
            "duration_s": run.duration_s,
            "error": run.error,
            "sweep": (run.sweep or {}).get("id"),
            **flat(run.tags, "tags."),
            **flat(run.data, "data."),
        },
        "params": flat(run.params),
        "metrics": run.last_values,
        "code": {
            **{name: git.get(name) for name in _CODE if name in git},
            **_digests(paths.patch, paths.config),
        },
        "environment": flat(compared),
        "packages": packages if isinstance(packages, dict) else {},
    }


def _digests(*paths: Path) -> Section:
    """Return the files that exist, by name, as the beginning of their digest."""
    found = {}
    for path in paths:
        if regular.is_file(path):
            found[path.name] = f"sha256:{atomic.sha256(path)[:12]}"
    return found
