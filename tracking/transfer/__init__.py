"""Runs on their way out of a store, as tables, and into one from another."""

from tracking.transfer.formats import TableFormat, write_table
from tracking.transfer.imports import Imported, import_runs
from tracking.transfer.selection import select
from tracking.transfer.tables import Table, history_table, run_table

__all__ = [
    "Imported",
    "Table",
    "TableFormat",
    "history_table",
    "import_runs",
    "run_table",
    "select",
    "write_table",
]
