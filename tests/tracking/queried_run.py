"""What the tests of filters share: a run with values of every kind, the names of its store, trees as text."""

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tracking import MetricSummary, RunRecord, RunStatus
from tracking.search.query import Names
from tracking.search.query.fields import quote
from tracking.search.query.tree import Comparison, Joined, Literal, Moment, Not

NOW = datetime.now().astimezone()
RUN = RunRecord(
    run_id="run_007",
    experiment_name="ctr_model",
    status=RunStatus.COMPLETED,
    created_at=NOW - timedelta(hours=2),
    finished_at=NOW - timedelta(hours=1),
    tags={"team": "ml", "labels": ["good", "final"], "version": "v2"},
    description="a baseline of ours",
    run_dir=Path("/nowhere"),
    params={
        "learning_rate": 0.001,
        "batch_size": 128,
        "use_bias": True,
        "optimizer": "adam",
        "model": {"hidden": [256, 128], "head": {"dropout": 0.1}},
        "model.depth": 4,
        "odd name": 1,
        "dims": [256, 128],
        "nothing": None,
        "limit": math.inf,
    },
    summary={
        "val_auc": MetricSummary(0.81, 9, 0.7, 0, 0.83, 7, 10, 0),
        "val_loss": MetricSummary(0.5, 9, 0.4, 5, 0.9, 0, 10, 0),
        "train/loss": MetricSummary(math.nan, 9, 0.4, 5, 0.9, 0, 10, 3),
        "val.max": MetricSummary(1, None, 1, None, 1, None, 1, 0),
    },
    sweep={"id": "2024-11-15_a", "job": 3},
)
NAMES = Names(frozenset(RUN.params), frozenset(RUN.summary), frozenset(RUN.tags))


def written(node: Any) -> str:
    """Return a tree, or a value in one, as text of the language."""
    match node:
        case Comparison():
            return f"{written(node.left)} {node.sign} {written(node.right)}"
        case Not():
            return (
                f"not ({written(node.item)})"
                if isinstance(node.item, Joined)
                else f"not {written(node.item)}"
            )
        case Joined():
            return f" {node.word} ".join(
                f"({written(item)})"
                if isinstance(item, Joined) and node.word in ("and", item.word)
                else written(item)
                for item in node.items
            )
        case Literal():
            return written(node.value)
        case Moment(word, argument):
            return f"{word}({quote(argument)})" if argument else word
        case list():
            return f"[{', '.join(map(written, node))}]"
    return quote(node) if isinstance(node, str) else str(node)
