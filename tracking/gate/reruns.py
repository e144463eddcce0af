"""The rule that a run can be made again: asked last, because it costs as much as the run did."""

from collections.abc import Callable
from pathlib import Path

from tracking.errors import TrackingError
from tracking.gate.outcomes import RERUN, Outcome
from tracking.registry import ModelVersion

ASKED = "the run made again gives the same metrics"


def made_again(version: ModelVersion, say: Callable[[str], None]) -> Outcome:
    """Return whether the run of a version, made again, has the same metrics, or its objective within the noise of its seeds.

    A result that the run keeps counts where it still stands and says so; else the run is made again, which `say` is told. A
    run that cannot be made again has failed the rule.
    """
    store = version.path.parents[2]
    try:
        passes, reason = _kept(version, store) or _rerun(version, store, say)
    except (TrackingError, OSError) as error:
        passes, reason = False, f"the run {version.run_id} could not be made again: {error}"
    return Outcome(RERUN, passes, reason, asked=ASKED)


def _kept(version: ModelVersion, store: Path) -> tuple[bool, str] | None:
    """Return what a kept result says of the run; None where it must be made again, as after one that differs: it may be mended."""
    from tracking.rerun import (
        standing_rerun,
    )  # here and below: it needs most of the package, and is rarely asked

    found = standing_rerun(version.run_id, store)
    if found is None or not found.is_reproduced:
        return None
    if found.noise is not None and found.noise.metric != version.objective.get("metric"):
        return None  # the noise of another metric says nothing of the objective
    return True, f"{found.sentence} (made again by {found.by} on {found.at:%Y-%m-%d})"


def _rerun(version: ModelVersion, store: Path, say: Callable[[str], None]) -> tuple[bool, str]:
    """Return whether the run made again is the same, and the sentence that says so."""
    from tracking.rerun import rerun

    say(f"making the run {version.run_id} of v{version.version} again ...")
    result = rerun(version.run_id, store)
    return result.is_reproduced, result.sentence
