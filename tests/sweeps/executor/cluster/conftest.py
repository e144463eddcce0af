"""Nodes of these tests are forked, unless a test asks for those of interpreters."""

from typing import Any

import forked_nodes
import pytest

from sweeps.executor.local.executor import Prepared
from sweeps.executor.local.forkserver import Preparation


@pytest.fixture
def nodes_of_interpreters() -> None:
    """Start nodes as engines do."""


@pytest.fixture(autouse=True)
def _nodes_are_forked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "nodes_of_interpreters" not in request.fixturenames:
        node_process = "sweeps.executor.cluster.node_process"
        monkeypatch.setattr(f"{node_process}.subprocess", forked_nodes.forking(forked_nodes.address()))
        monkeypatch.setattr("sweeps.executor.cluster.cluster_executor.node_code", forked_nodes.node_code)


@pytest.fixture
def nothing_prepared(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what jobs share for an executor of stubs, which prepares nothing for any process."""
    start: Any = None
    prepared = Prepared(Preparation([], [], "", [], [], b"", start), ())
    monkeypatch.setattr(Prepared, "of", lambda *_args, **_named: prepared)
    return type("Common", (), {"sweep": "sweep"})
