"""The command that tells two runs apart."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from tracking.cli.provenance import read_optional
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError
from tracking.records import RunRecord
from tracking.store.store import Store
from tracking.values.jsontext import Number
from tracking.values.names import natural_key
from tracking.values.plain import flat

Section = dict[str, Any]
Sections = dict[str, Section]

RUN, PARAMS, METRICS, CODE, ENVIRONMENT, PACKAGES = (
    "run",
    "params",
    "metrics",
    "code",
    "environment",
    "packages",
)
HEADLINES = {
    RUN: "Run",
    PARAMS: "Parameters",
    METRICS: "Metrics, last values",
    CODE: "Code",
    ENVIRONMENT: "Environment",
    PACKAGES: "Packages",
}
_CODE = ("commit", "branch", "dirty", "remote", "folder", "reproducible")
_NOT_COMPARED = ("format", "packages", "argv")  # command says what argv does


def diff(
    first: Annotated[str, typer.Argument(metavar="RUN", help="A run's id.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="Another's.")],
    everything: Annotated[bool, typer.Option("--all", help="Also what is the same.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Show in what two runs differ.

    Parameters, metrics, code with its uncommitted changes, interpreter, machine, variables, packages.

    Example: python -m tracking diff run_001 run_002
    """
    place = Store(store)
    damaged: list[CorruptFileError] = []
    sides = [_sections(place, run_id, damaged) for run_id in (first, second)]
    told = {name: _beside(sides[0][name], sides[1][name], everything=everything) for name in HEADLINES}
    if as_json:
        output.say_json({"runs": [first, second], **{name: dict(rows) for name, rows in told.items()}})
        return output.report(damaged)
    output.title(f"{first} and {second}")
    for name, rows in told.items():
        if rows:
            output.say(f"\n{HEADLINES[name]}:")
            _say_rows(name, rows, (first, second))
    if not any(told.values()):
        output.say("They do not differ in anything that was recorded.")
    return output.report(damaged)


def _say_rows(section: str, rows: list[tuple[str, list[Any]]], run_ids: tuple[str, str]) -> None:
    if section != METRICS:
        cells = [
            [name, *(None if value is None else output.param(value) for value in pair)] for name, pair in rows
        ]
        tables.say_rows(["", *run_ids], cells, keep=3)
        return
    tables.say_rows(
        ["", *run_ids, "difference"], [[name, *pair, _difference(*pair)] for name, pair in rows], keep=3
    )


def _difference(first: Number | None, second: Number | None) -> Number | None:
    return None if first is None or second is None else second - first


def _beside(first: Section, second: Section, *, everything: bool) -> list[tuple[str, list[Any]]]:
    names = sorted({*first, *second}, key=natural_key)
    pairs = [(name, [first.get(name), second.get(name)]) for name in names]
    return [(name, pair) for name, pair in pairs if everything or not _same(*pair)]


def _same(first: Any, second: Any) -> bool:
    # nan is nan; 1 and True are two values, 1 and 1.0 are one
    if isinstance(first, bool) is not isinstance(second, bool):
        return False
    return bool(first == second) or (first != first and second != second)


def _sections(store: Store, run_id: str, damaged: list[CorruptFileError]) -> Sections:
    run = store.scan.record(store.require(run_id))
    paths = store.paths.run(run_id)
    git, env = read_optional(paths.git, damaged), read_optional(paths.environment, damaged)
    packages, command = env.get("packages"), env.get("command")
    compared = {name: value for name, value in env.items() if name not in _NOT_COMPARED}
    if isinstance(command, list):
        compared["command"] = " ".join(map(str, command))
    return {
        RUN: _run_section(run),
        PARAMS: flat(run.params),
        METRICS: {name: summary.last for name, summary in run.summary.items()},
        CODE: {
            **{name: git.get(name) for name in _CODE if name in git},
            **_digests(paths.patch, paths.config),
        },
        ENVIRONMENT: flat(compared),
        PACKAGES: packages if isinstance(packages, dict) else {},
    }


def _run_section(run: RunRecord) -> Section:
    seconds = (run.finished_at - run.created_at).total_seconds() if run.finished_at else None
    return {
        "experiment": run.experiment_name,
        "status": run.status.value,
        "description": run.description,
        "duration_s": seconds,
        "error": run.error,
        "sweep": (run.sweep or {}).get("id"),
        **flat(run.tags, "tags."),
        **flat(run.data, "data."),
    }


def _digests(*paths: Path) -> Section:
    """Whole files by what tells them apart."""
    found = {}
    for path in paths:
        if path.is_file():
            found[path.name] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    return found
