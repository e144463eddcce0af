"""A job on a node has the environment of its script, but for what belongs to the machine or to an allocation."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeps.executor.cluster.belongings import environment, fitted, why_not_runnable
from sweeps.executor.local.forkserver import Preparation
from sweeps.executor.local.program import Start
from sweeps.executor.local.surroundings import Surroundings
from sweeps.plan.by_reference import PATH


@pytest.mark.parametrize(
    ("name", "of_script", "here", "has"),
    [
        ("MY_SETTING", "a", None, "a"),
        ("MY_SETTING", "a", "b", "a"),
        ("OF_THE_NODE", None, "b", "b"),
        ("PATH", "a", "b", "b"),
        ("CUDA_VISIBLE_DEVICES", "0", "2,3", "2,3"),
        ("CUDA_VISIBLE_DEVICES", "0", None, None),
        ("VIRTUAL_ENV", "a", None, None),
        ("OMP_NUM_THREADS", None, "1", None),
        ("OMP_NUM_THREADS", "4", "1", "4"),
        ("RAY_ADDRESS", None, "b", None),
        ("RAY_ADDRESS", "a", "b", "a"),
        ("PYTHONBREAKPOINT", None, "ray.util.rpdb.set_trace", None),
        ("SLURM_JOB_ID", "7", "8", None),
        ("OMPI_COMM_WORLD_RANK", "1", None, None),
    ],
)
def test_a_variable_comes_from_the_script_or_the_machine(
    name: str, of_script: str | None, here: str | None, has: str | None
) -> None:
    def holding(value: str | None) -> dict[str, str]:
        return {} if value is None else {name: value}

    assert environment(holding(of_script), holding(here)) == holding(has)


def preparation(folder: Path, script: str = "", **variables: str) -> Preparation:
    surroundings = Surroundings(["script.py"], str(folder), variables)
    start = Start({PATH: script} if script else {}, surroundings, 0)
    return Preparation(["/first"], ["script.py"], str(folder), [], [], b"", start)


def test_modules_are_searched_where_the_sweep_does_and_then_where_the_node_does(tmp_path: Path) -> None:
    path = fitted(preparation(tmp_path), os.environ).path
    assert path == ["/first", *filter(None, sys.path)]


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("nothing", None),
        ("folder", "it has no folder {path}, in which the sweep was started"),
        ("script", "it has no file {path}, the program of the sweep"),
    ],
)
def test_what_a_machine_lacks_is_named(tmp_path: Path, lacks: str, said: str | None) -> None:
    path = tmp_path / "absent"
    made: Any = {
        "nothing": preparation(tmp_path),
        "folder": preparation(path),
        "script": preparation(tmp_path, str(path)),
    }
    assert why_not_runnable(made[lacks]) == (said and said.format(path=path))
