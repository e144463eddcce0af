"""The gate for promotions: a challenger and the champion on the same rows, judged by rules that chance cannot pass."""

from tracking.gate.gate import Gate
from tracking.gate.outcomes import Selection
from tracking.gate.rules import GateSettings, gate_settings

__all__ = ["Gate", "GateSettings", "Selection", "gate_settings"]
