"""Export of runs as tables and to other trackers, and import of runs from another store and from other programs."""

from tracking.transfer.formats import SourceFormat, open_source, recognise, refuse_unknown
from tracking.transfer.found_runs import GrowingSource, Source
from tracking.transfer.imports import Imported, import_runs, select
from tracking.transfer.live_import import follow_source
from tracking.transfer.mlflow.exported import Exported
from tracking.transfer.mlflow.exporting import export_to_mlflow
from tracking.transfer.mlflow.importing import import_from_mlflow, open_mlflow
from tracking.transfer.optuna_studies import open_study
from tracking.transfer.outside import import_source
from tracking.transfer.tables import Table, TableFormat, history_table, run_table, write_table
from tracking.transfer.tensorboard.event_export import Written, export_to_tensorboard

__all__ = [
    "Exported",
    "GrowingSource",
    "Imported",
    "Source",
    "SourceFormat",
    "Table",
    "TableFormat",
    "Written",
    "export_to_mlflow",
    "export_to_tensorboard",
    "follow_source",
    "history_table",
    "import_from_mlflow",
    "import_runs",
    "import_source",
    "open_mlflow",
    "open_source",
    "open_study",
    "recognise",
    "refuse_unknown",
    "run_table",
    "select",
    "write_table",
]
