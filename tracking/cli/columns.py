"""Columns of tables of runs: which fields, under which names; and the options that choose runs and columns."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from tracking.cli.toolkit import output
from tracking.errors import InvalidValueError
from tracking.search.query import (
    Field,
    FieldKind,
    MetricPart,
    Names,
    parse_field,
    parse_fields,
    resolve,
    unknown_names,
)
from tracking.values.names import composed, natural_key
from tracking.values.units import format_clock


def _positive(limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise InvalidValueError(f"--limit is {limit}; it is the number of runs to show, 1 or more")
    return limit


RUN_ID, STATUS = Field(FieldKind.RUN, "run_id"), Field(FieldKind.RUN, "status")
MOST_METRICS = 8  # columns that a terminal gets by default

ExperimentOrVersion = Annotated[
    str,
    typer.Argument(
        metavar="EXPERIMENT|VERSION", callback=composed, help="The experiment, or a version of a model."
    ),
]
OtherArgument = Annotated[
    str | None, typer.Argument(metavar="[VERSION]", help="Another version, such as ctr_model@4.")
]
ExperimentsOrVersion = Annotated[
    str | None,
    typer.Argument(
        metavar="[EXPERIMENT|VERSION]",
        help="Only the runs of this experiment; or a version of a model, such as ctr_model@3.",
    ),
]
ExperimentArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", callback=composed, help="Its name.")]
FilterArgument = Annotated[
    str | None,
    typer.Argument(metavar="[FILTER]", help="Such as \"val_auc > 0.8 and status == 'completed'\"."),
]
FilterOption = Annotated[
    str | None, typer.Option("--filter", metavar="FILTER", help="The runs that pass it; see search.")
]
ExperimentOption = Annotated[
    str | None,
    typer.Option("--experiment", metavar="NAME", callback=composed, help="The runs of this experiment."),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B,...", help="The fields to show, such as status,val_auc.max."),
]
SortOption = Annotated[
    list[str] | None,
    typer.Option("--sort", metavar="FIELD", help="Lowest first; -FIELD highest first. May be repeated."),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", callback=_positive, help="Only the first N.")
]


def chosen(text: str, names: Names, *, first: Sequence[Field] = ()) -> list[Field]:
    """Return the fields that a list of columns names, after those in `first`."""
    return list(dict.fromkeys([*first, *(resolve(field, names) for field in parse_fields(text))]))


def usual(
    names: Names, named: Iterable[Field], experiment: str | None, *, as_json: bool = False
) -> list[Field]:
    """Return the columns of a table for which none were chosen: fields that were `named`, and metrics.

    A terminal gets the first MOST_METRICS metrics, a pipe all of them, JSON all parameters too.
    """
    most = MOST_METRICS if sys.stdout.isatty() and not as_json else None
    head = ["run_id", "status"] if experiment else ["run_id", "experiment", "status"]
    params = sorted(names.params, key=natural_key) if as_json else []
    fields = [
        *map(parse_field, head),
        *named,
        *(Field(FieldKind.PARAM, name) for name in params),
        *(Field(FieldKind.METRIC, name, MetricPart.LAST) for name in _metrics(names)[:most]),
        *map(parse_field, ["created_at", "duration_s"]),
    ]
    return list(dict.fromkeys(fields))


def not_shown(names: Names, fields: Iterable[Field]) -> str:
    """Return a line about the metrics that no column shows; empty if there are none."""
    shown_names = {field.name for field in fields if field.kind is FieldKind.METRIC}
    rest = [name for name in _metrics(names) if name not in shown_names]
    some = output.listed(rest)
    return f"not shown: {some}; --columns chooses others" if rest else ""


def _metrics(names: Names) -> list[str]:
    # Final results first: those on the test split, then those on the validation split.
    return sorted(
        names.metrics,
        key=lambda name: (not name.startswith("test"), not name.startswith("val"), natural_key(name)),
    )


def warn_unknown(fields: Iterable[Field], names: Names) -> None:
    """Warn of names that no run has: most often they are misspelt."""
    for sentence in unknown_names(fields, names):
        output.warn(sentence)


def labels(fields: Sequence[Field]) -> list[str]:
    """Return the names of columns: the fields, without their namespaces where that is clear."""
    kinds: dict[str, set[FieldKind]] = {}
    for field in fields:
        kinds.setdefault(field.name, set()).add(field.kind)
    return [_label(field, kinds) for field in fields]


def _label(field: Field, kinds: Mapping[str, set[FieldKind]]) -> str:
    if field.kind in (FieldKind.RUN, FieldKind.BARE):
        return str(field).strip("`")
    tail = "" if field.part in (None, MetricPart.LAST) else f".{field.part}"
    short = f"{field.name}{tail}"
    return str(field) if kinds.get(short, set()) - {field.kind} else short


def cells(fields: Sequence[Field], values: Sequence[Any], *, without_rank: str | None) -> list[Any]:
    """Return the values of a run as cells; why it has no rank takes the place of its status."""
    return [
        without_rank if without_rank and field == STATUS else shown(field, value)
        for field, value in zip(fields, values, strict=True)
    ]


def shown(field: Field, value: Any) -> Any:
    """Return a value as a cell."""
    if field.kind is FieldKind.RUN and field.name == "duration_s":
        return format_clock(value)
    if field.kind is FieldKind.METRIC or value is None or isinstance(value, datetime):
        return value
    return output.param(value)  # parameters are not rounded
