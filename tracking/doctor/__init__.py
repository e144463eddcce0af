"""The doctor: looks through a whole store, repairs what has one right repair, and names the rest."""

from tracking.doctor.examine import examine
from tracking.doctor.findings import Examination, Fault, Finding, Outcome

__all__ = ["Examination", "Fault", "Finding", "Outcome", "examine"]
