"""Hyper-parameters of a Lightning module become parameters of its run, whatever they are called and hold."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from tracking import ExperimentTracker
from tracking.integrations.lightning import Logging


@dataclass
class Images:
    shape: object


class Box:
    """No record of named fields, with a text of its own."""

    def __init__(self, shape: object) -> None:
        self.shape = shape

    def __str__(self) -> str:
        return f"Box({self.shape})"


def logged(base: Path, *given: Any) -> dict[str, Any]:
    """Return the parameters of a run that a logger makes for what it is given."""
    logger = Logging("lines", store=base)
    for params in given:
        logger.log_hyperparams(params)
    logger.finalize("success")
    (record,) = ExperimentTracker(base).records()
    return dict(record.params)


@pytest.mark.parametrize("shape", [[3, 224, 224], "round", None, 5])
@pytest.mark.parametrize("kind", [dict, Namespace, Images, lambda shape: OmegaConf.create({"shape": shape})])
def test_a_setting_may_be_called_shape(base: Path, kind: Any, shape: Any) -> None:
    given = kind(shape=shape)
    assert logged(base, given, {"cfg": given}) == {"shape": shape, "cfg.shape": shape}


def test_an_object_that_has_a_shape_is_its_text(base: Path) -> None:
    assert logged(base, {"a": Box((3, 224, 224)), "b": Box("round")}) == {
        "a": "Box((3, 224, 224))",
        "b": "Box(round)",
    }


def test_a_large_array_or_table_is_its_shape(base: Path) -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    rows = numpy.zeros((600, 2))
    assert logged(base, {"rows": rows, "table": pandas.DataFrame(rows), "weights": rows[0]}) == {
        "rows": "ndarray of shape (600, 2)",
        "table": "DataFrame of shape (600, 2)",
        "weights": [0.0, 0.0],
    }


def test_no_hyper_parameters_are_no_parameters(base: Path) -> None:
    assert logged(base, None, {}) == {}
