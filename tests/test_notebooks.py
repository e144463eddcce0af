"""Notebooks in a real kernel of Jupyter: what cells print is kept, pictures are shown once, the example runs.

Each kernel takes seconds, so that one notebook serves several tests.
"""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, ModelRegistry

nbformat = pytest.importorskip("nbformat", reason="notebooks need nbclient and ipykernel")
nbclient = pytest.importorskip("nbclient", reason="notebooks need nbclient and ipykernel")
pytest.importorskip("ipykernel", reason="notebooks need nbclient and ipykernel")

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "notebook" / "first_sweep.ipynb"
CELLS = """
from tracking import ExperimentTracker; import sys, logging, threading; tracker = ExperimentTracker()
print("before the run")
---
run = tracker.start_run("x", params={"lr": 1}, capture_code=False); print("the cell that opens it")
---
print("a later cell"); print("on stderr", file=sys.stderr); logging.warning("a warning")
---
thread = threading.Thread(target=print, args=("a thread",)); thread.start(); thread.join()
---
!echo a shell command
---
%%time
run.log({"val_auc": 0.7}, step=0); run.log({"val_auc": 0.8}, step=1); print("a cell with magic")
---
run
---
run.finish(); print("after the end")
---
with tracker.start_run("x", capture_code=False):
    print("a block in one cell")
print("after the block")
---
raise ValueError("a cell that fails")
---
tracker.plot("val_auc")
---
import matplotlib.pyplot
%matplotlib inline
---
tracker.plot("val_auc")
---
tracker.search_runs()
"""


def execute(notebook: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, *, may_fail: bool = False) -> Any:
    """Execute a notebook in `folder`; `python` in its cells is this interpreter."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLE.parents[2]))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(folder / ".ipython"))  # no history in the home of who runs the tests
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(
        notebook, timeout=250, kernel_name="python3", resources=resources, allow_errors=may_fail
    )
    return client.execute()


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of the executed cells, and the outputs of each by its first words."""
    folder = tmp_path_factory.mktemp("notebook")
    cells = [nbformat.v4.new_code_cell(text.strip()) for text in CELLS.split("---")]
    with pytest.MonkeyPatch.context() as monkeypatch:
        done = execute(nbformat.v4.new_notebook(cells=cells), folder, monkeypatch, may_fail=True)
    return folder, [cell.outputs for cell in done.cells]


def data_of(outputs: Any) -> list[dict[str, Any]]:
    return [output["data"] for output in outputs if "data" in output]


def test_stdout_log_has_what_all_cells_print_while_the_run_is_open(executed: tuple[Path, Any]) -> None:
    folder, _ = executed
    lines = (folder / "experiments/runs/run_001/stdout.log").read_text().splitlines()
    assert [line for line in lines if "time" not in line and "times" not in line] == [
        "the cell that opens it",
        "a later cell",
        "on stderr",
        "WARNING:root:a warning",
        "a thread",
        "a shell command",
        "a cell with magic",
    ]
    assert (folder / "experiments/runs/run_002/stdout.log").read_text() == "a block in one cell\n"


def test_the_cells_still_print(executed: tuple[Path, Any]) -> None:
    _, outputs = executed
    printed = ["".join(each.get("text", "") for each in some) for some in outputs]
    assert printed[0] == "before the run\n"
    assert "a later cell\n" in printed[2]
    assert printed[7] == "after the end\n"
    assert printed[8] == "a block in one cell\nafter the block\n"


@pytest.mark.parametrize("cell", [10, 12], ids=["without pyplot", "with %matplotlib inline"])
def test_a_picture_is_shown_once(executed: tuple[Path, Any], cell: int) -> None:
    _, outputs = executed
    (shown,) = data_of(outputs[cell])
    assert shown["image/png"].startswith("iVBOR")


@pytest.mark.parametrize(
    ("cell", "line"), [(6, "Run('run_001', store='experiments')"), (13, "[RunRecord('run_001',")]
)
def test_runs_are_shown_as_tables(executed: tuple[Path, Any], cell: int, line: str) -> None:
    _, outputs = executed
    (shown,) = data_of(outputs[cell])
    assert shown["text/plain"].startswith(line)
    assert "<table" in shown["text/html"]
    assert "val_auc" in shown["text/html"]


@pytest.mark.slow
def test_the_example_runs_from_a_first_run_to_the_champion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(EXAMPLE, 4)
    cells = [cell for cell in execute(notebook, tmp_path, monkeypatch).cells if cell.cell_type == "code"]
    assert len(cells) == 10
    assert "Champion of breast_cancer_model: v1" in cells[6].outputs[-1].text
    assert "\x1b[2K" not in "".join(output.text for output in cells[6].outputs)
    tables = [output["data"] for cell in cells for output in cell.outputs if "data" in output]
    assert sum("text/html" in shown for shown in tables) == 5
    assert sum("image/png" in shown for shown in tables) == 1
    assert cells[-1].outputs[0].text.startswith("test AUC: 0.9")
    base = tmp_path / "experiments"
    assert {run.experiment_name for run in ExperimentTracker(base).records()} == {
        "by_hand",
        "breast_cancer_model",
    }
    assert ModelRegistry(base).champion("breast_cancer_model")


def test_the_example_is_kept_without_output() -> None:
    notebook = nbformat.read(EXAMPLE, 4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
