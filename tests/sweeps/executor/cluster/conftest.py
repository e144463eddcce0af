"""Nodes of these tests are forked, unless a test asks for those of interpreters."""

import forked_nodes
import pytest


@pytest.fixture
def nodes_of_interpreters() -> None:
    """Start nodes as engines do."""


@pytest.fixture(autouse=True)
def _nodes_are_forked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "nodes_of_interpreters" not in request.fixturenames:
        node_process = "sweeps.executor.cluster.node_process"
        monkeypatch.setattr(f"{node_process}.subprocess", forked_nodes.forking(forked_nodes.address()))
        monkeypatch.setattr("sweeps.executor.cluster.cluster_executor.node_code", forked_nodes.node_code)
