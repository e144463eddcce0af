"""The rule that a run can be made again: asked last, because it costs as much as the run did."""

from pathlib import Path

from tracking.errors import TrackingError
from tracking.gate.outcomes import RERUN, Outcome
from tracking.registry import ModelVersion

ASKED = "the run made again gives the same metrics"


def made_again(version: ModelVersion) -> Outcome:
    """Make the run of a version again, and return whether its metrics are the same, or within the noise of its seeds.

    A run that cannot be made again has failed the rule.
    """
    store = version.path.parents[2]
    try:
        passes, reason = _rerun(version.run_id, store)
    except (TrackingError, OSError) as error:
        passes, reason = False, f"the run {version.run_id} could not be made again: {error}"
    return Outcome(RERUN, passes, reason, asked=ASKED)


def _rerun(run_id: str, store: Path) -> tuple[bool, str]:
    """Return whether the run made again is the same, and the sentence that says so."""
    from tracking.rerun import rerun  # it needs most of the package, and the gate rarely asks for it

    result = rerun(run_id, store)
    return result.is_reproduced, result.sentence
