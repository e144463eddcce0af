"""Export of runs to MLflow, and import of the runs that it recorded."""
