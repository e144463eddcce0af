"""The command that finds runs: search; also the runs of one experiment for list."""

from typing import Annotated

import typer

from tracking.cli.columns import (
    RUN_ID,
    ColumnsOption,
    FilterArgument,
    LimitOption,
    SortOption,
    chosen,
    not_shown,
    say_runs,
    usual,
    warn_unknown,
)
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, InvalidValueError
from tracking.search.catalog import Catalog
from tracking.search.query import parse_order, parse_query
from tracking.store.store import Store


def search(
    text: FilterArgument = None,
    *,
    experiment: Annotated[
        str | None, typer.Option("--experiment", metavar="NAME", help="Only runs of this experiment.")
    ] = None,
    columns: ColumnsOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Find runs by a filter.

    \b
    fields   status, experiment, run_id, created_at, duration_s, sweep, error
             params.NAME, tags.NAME, metrics.NAME, or NAME where it is clear
             of a metric .last .min .max .best .count .last_step and the like
    compare  == != < <= > >= in, contains, is None, is nan; 0.1 < x < 0.5
    join     and, or, not, parentheses
    times    '2024-11-15', '2024-11-15T10:30', today, yesterday, ago('7d')

    Example: python -m tracking search "val_auc.max > 0.8 and seed in [1, 2]"
    """
    catalog = Catalog(Store(store))
    damaged: list[CorruptFileError] = []
    check_limit(limit)
    names = catalog.names()
    query = parse_query(text or "").resolved(names)
    named = [*query.places, *(parse_order(order).resolved(names).field for order in sort or ())]
    usual_names = catalog.names(experiment)
    if columns:
        fields = chosen(columns, names, first=[RUN_ID])
    else:
        fields = usual(usual_names, named, experiment, as_json=as_json)
    warn_unknown({*fields, *named}, names)
    run_ids, values = catalog.columns(
        fields, damaged.append, text=text or "", experiment_name=experiment, order_by=sort, limit=limit
    )
    if not run_ids and not as_json:
        where = f" of {experiment!r}" if experiment else ""
        output.say(f"No run{where} in {store!r} passes." if text else f"No runs{where} in {store!r}.")
    code = say_runs(fields, values, damaged, as_json=as_json)
    if run_ids and not columns and not as_json and (rest := not_shown(usual_names, fields)):
        output.say(rest)
    return code


def check_limit(limit: int | None) -> None:
    """Refuse a number of rows that is none."""
    if limit is not None and limit < 1:
        raise InvalidValueError(f"--limit is {limit}; it is the number of runs to show, 1 or more")
