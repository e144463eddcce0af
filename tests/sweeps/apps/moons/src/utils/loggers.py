import csv
from pathlib import Path

from tracking import active_run


class CSVLogger:
    """Write metrics into the output folder of the job."""

    def __init__(self, save_dir: str, name: str) -> None:
        self.path = Path(save_dir) / name / "metrics.csv"

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="") as stream:
            csv.writer(stream).writerows([step, name, value] for name, value in metrics.items())


class RunLogger:
    """Write metrics into the run of the job, if there is one."""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        run = active_run()
        if run is not None:
            run.log({name.replace("/", "_"): value for name, value in metrics.items()}, step=step)
