"""Commands that change the record of runs: tag, note, rename, finish, stop."""

from typing import Annotated

import typer

from tracking.cli.columns import ExperimentOption, FilterOption
from tracking.cli.confirm import change, chosen_runs
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import InvalidValueError, TrackingError
from tracking.records import RunStatus
from tracking.search.catalog import Catalog
from tracking.store import amend
from tracking.store.store import Store
from tracking.values.names import check_label

Runs = Annotated[list[str], typer.Argument(metavar="RUN", help="The ids of runs.")]


def tag(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="RUN|KEY=VALUE", help="Runs, and tags to set.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="KEY", help="Remove a tag; may be repeated.")
    ] = None,
    query: FilterOption = None,
    experiment: ExperimentOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Set or remove tags of runs.

    Values are kept as text.

    Example: python -m tracking tag run_001 run_002 team=ml reviewed=yes --remove draft
    """
    tags = dict(word.split("=", 1) for word in words or () if "=" in word)
    if not tags and not remove:
        raise InvalidValueError("nothing to change; give tags as KEY=VALUE, or --remove KEY")
    named = [word for word in words or () if "=" not in word]  # no run id holds a =
    return change(
        Store(store),
        chosen_runs(store, named, experiment, query),
        lambda place, run_id: amend.set_tags(place, run_id, tags, remove=remove or ()),
        ("tagged", "Tagged"),
        as_json=as_json,
    )


def note(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    text: Annotated[str, typer.Argument(help="The description.")],
    append: Annotated[bool, typer.Option("--append", help="Add a line to the description.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Write the description of a run.

    Example: python -m tracking note run_001 "the baseline of the paper"
    """
    return change(
        Store(store),
        [run_id],
        lambda place, run_id: amend.describe(place, run_id, text, append=append),
        ("noted", "Described"),
        as_json=as_json,
    )


def rename(
    experiment: Annotated[str, typer.Argument(help="The experiment's name.")],
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="Its new name, or another experiment.")],
    only: Annotated[
        list[str] | None, typer.Option("--run", metavar="RUN", help="Only this run; may be repeated.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Rename an experiment, or move runs to another.

    An experiment with the new name may exist; the runs are added to it.

    Example: python -m tracking rename ctr_model ctr_model_2023
    """
    place = Store(store)
    check_label("experiment name", new_name)  # before any run is changed
    known = Catalog(place).run_ids_of(experiment)
    if not known:
        raise TrackingError(f"no runs of an experiment {experiment!r} in {str(place.paths.named)!r}")
    for run_id in only or ():
        if run_id not in known:
            raise TrackingError(f"run {run_id!r} is not of the experiment {experiment!r}")
    return change(
        place,
        only or known,
        lambda place, run_id: amend.rename(place, run_id, new_name),
        ("renamed", f"Now in {new_name}"),
        as_json=as_json,
    )


def finish(
    run_ids: Runs,
    status: Annotated[
        str, typer.Option("--status", metavar="STATUS", help="completed, failed, killed or pruned.")
    ] = "killed",
    force: Annotated[bool, typer.Option("--force", help="Also where the process is alive.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Set the final status of runs whose process could not, or did not.

    For example, runs of a machine that is lost, and runs that their process left open. A run whose process is known
    to be alive is refused; --force finishes it all the same.

    Example: python -m tracking finish run_003 --status killed
    """
    RunStatus.final(status)  # before any run is changed
    return change(
        Store(store),
        run_ids,
        lambda place, run_id: amend.finish(place, run_id, status, force=force),
        ("finished", f"Now {status}"),
        as_json=as_json,
    )


def stop(run_ids: Runs, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> int:
    """Ask running runs to stop.

    Their should_stop() returns True from now on; their code decides when it stops.

    Example: python -m tracking stop run_003
    """
    return change(Store(store), run_ids, amend.ask_to_stop, ("asked", "Asked to stop"), as_json=as_json)
