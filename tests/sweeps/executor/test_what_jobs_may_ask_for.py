"""A job, perhaps on another machine, is given what the sweep's process has marked, and can have it import nothing."""

import pickle
import sys
from pathlib import Path

import pytest

from sweeps.executor.local.supplies import Delivery, Supplies, deliver


def test_a_variable_that_was_not_marked_is_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_that_a_job_names.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    wanted = {"names": [], "resolvers": [], "values": [["module_that_a_job_names", "x"]]}
    delivery: Delivery = pickle.loads(deliver(Supplies.of_message(wanted)))
    assert delivery == Delivery()
    assert "module_that_a_job_names" not in sys.modules
