"""The runs of an experiment that a command is about."""

from tracking.errors import CorruptFileError, TrackingError
from tracking.records import RunRecord
from tracking.search.catalog import Catalog
from tracking.store.store import Store


def runs_of(
    store: Store, experiment: str, text: str | None = None
) -> tuple[list[RunRecord], list[CorruptFileError]]:
    """The runs of an experiment that pass a filter, and the errors of those that cannot be read.

    TrackingError when there are neither: the experiment is unknown, or no run of it passes.
    """
    damaged: list[CorruptFileError] = []
    if text:
        runs = Catalog(store).search(text, damaged.append, experiment_name=experiment)
    else:
        runs = Catalog(store).records(experiment, damaged.append)
    if not runs and not damaged:
        check_known(store, experiment)
        raise TrackingError(f"no run of {experiment!r} passes the filter")
    return runs, damaged


def check_known(store: Store, experiment: str) -> None:
    """TrackingError names the experiments there are when this is none of them; damaged runs may be of any."""
    damaged: list[CorruptFileError] = []
    known = list(dict.fromkeys(row.experiment_name for row in Catalog(store).rows(None, damaged.append)))
    if experiment not in known and not damaged:
        raise TrackingError(
            f"no runs of an experiment {experiment!r} in {str(store.paths.named)!r}; known: {', '.join(known) or 'none'}"
        )
