"""The read index: what many runs came to, kept in a SQLite file that can be deleted at any time."""

from tracking.index.access import Index
from tracking.index.refresh import SLICE, Progress
from tracking.index.view import Row, View

__all__ = ["SLICE", "Index", "Progress", "Row", "View"]
