"""The doctor: examines a whole store, makes the repairs that are certain, and reports the rest."""

from tracking.doctor.examine import examine
from tracking.doctor.findings import Examination, Fault, Finding, Outcome

__all__ = ["Examination", "Fault", "Finding", "Outcome", "examine"]
