"""The read index: a SQLite cache of all runs of a store, which can be deleted at any time."""

from tracking.search.index.access import Index
from tracking.search.index.database import CACHE_BYTES
from tracking.search.index.refresh import SMALL, Progress
from tracking.search.index.view import Row, View

__all__ = ["CACHE_BYTES", "SMALL", "Index", "Progress", "Row", "View"]
