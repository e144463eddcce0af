"""Where a run came from, what its process printed and what it used."""

from tracking.provenance.config_text import config_text
from tracking.provenance.output import capture_output
from tracking.provenance.starting import capture
from tracking.provenance.usage import checked_interval, sample_usage

__all__ = ["capture", "capture_output", "checked_interval", "config_text", "sample_usage"]
