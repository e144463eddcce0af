"""Export of runs as tables, and import of runs from another store."""

from tracking.transfer.formats import TableFormat, write_table
from tracking.transfer.imports import Imported, import_runs, select
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
