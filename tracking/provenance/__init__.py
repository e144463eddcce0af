"""Where a run came from, and what happened in its process."""

from tracking.provenance.output import capture_output
from tracking.provenance.starting import capture
from tracking.provenance.usage import checked_interval, sample_usage

__all__ = ["capture", "capture_output", "checked_interval", "sample_usage"]
