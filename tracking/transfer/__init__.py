"""Export of runs as tables and to MLflow, and import of runs from another store and from MLflow."""

from tracking.transfer.imports import Imported, import_runs, select
from tracking.transfer.mlflow.exported import Exported
from tracking.transfer.mlflow.exporting import export_to_mlflow
from tracking.transfer.mlflow.importing import import_from_mlflow, open_mlflow
from tracking.transfer.tables import Table, TableFormat, history_table, run_table, write_table

__all__ = [
    "Exported",
    "Imported",
    "Table",
    "TableFormat",
    "export_to_mlflow",
    "history_table",
    "import_from_mlflow",
    "import_runs",
    "open_mlflow",
    "run_table",
    "select",
    "write_table",
]
