"""Export of runs as tables, and import of runs from another store."""

from tracking.transfer.imports import Imported, import_runs, select
from tracking.transfer.tables import Table, TableFormat, history_table, run_table, write_table

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
