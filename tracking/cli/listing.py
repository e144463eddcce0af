"""The command that lists experiments, or the runs of one."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from tracking.cli.columns import ColumnsOption, LimitOption, SortOption
from tracking.cli.experiment import check_known
from tracking.cli.search import search
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, InvalidValueError
from tracking.records import RunStatus
from tracking.search.catalog import Catalog
from tracking.store.store import Store

MOST_IDS = 100  # that are written one by one; more of them are drawn together


def list_experiments(
    experiment: Annotated[str | None, typer.Argument(metavar="[EXPERIMENT]", help="List its runs.")] = None,
    columns: ColumnsOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """List all experiments and their runs.

    With an experiment its runs, a row each, in the columns and the order that are asked for.

    Example: python -m tracking list ctr_model --columns seed,val_auc
    """
    if experiment is not None:
        check_known(Store(store), experiment)
        return search(
            None,
            experiment=experiment,
            columns=columns,
            sort=sort,
            limit=limit,
            store=store,
            as_json=as_json,
        )
    if columns or sort or limit is not None:
        raise InvalidValueError(
            "--columns, --sort and --limit need an experiment, whose runs are then listed"
        )
    damaged: list[CorruptFileError] = []
    groups: dict[str, tuple[list[str], Counter[str]]] = {}
    for run in Catalog(Store(store)).rows(None, damaged.append):
        run_ids, statuses = groups.setdefault(run.experiment_name, ([], Counter()))
        run_ids.append(run.run_id)
        statuses[run.status] += 1
    if as_json:
        output.say_json(
            {name: _counts(statuses) | {"run_ids": run_ids} for name, (run_ids, statuses) in groups.items()}
        )
    elif not groups:
        output.say(f"No runs in {store!r} yet.")
    elif sys.stdout.isatty():
        rows = [
            [name, *_counts(statuses).values(), output.ranges(run_ids, whole=False)]
            for name, (run_ids, statuses) in groups.items()
        ]
        output.title("ALL EXPERIMENTS")
        tables.say_rows(
            ["experiment", "runs", *(status.value for status in RunStatus), "run ids"], rows, wraps=True
        )
    else:
        output.title("ALL EXPERIMENTS")
        for name, (run_ids, statuses) in groups.items():
            _say_experiment(name, run_ids, statuses)
    return output.report(damaged)


def _say_experiment(name: str, run_ids: Sequence[str], statuses: Counter[str]) -> None:
    output.say(f"\n{name}:")
    for status, count in _counts(statuses).items():
        if count or status in ("total", "completed"):
            output.say(f"  {'Total runs' if status == 'total' else status.capitalize()}: {count}")
    output.say(f"  Run IDs: {output.ranges(run_ids, whole=len(run_ids) <= MOST_IDS)}")


def _counts(statuses: Counter[str]) -> dict[str, int]:
    return {"total": statuses.total(), **{status.value: statuses[status.value] for status in RunStatus}}
