"""Whatever a ledger or a plan holds, pages get facts or one of the errors that they show."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from told import RATE, Told

from sweeps.dashboard.facts.sweep_facts import sweep_facts
from sweeps.dashboard.facts.sweep_list import sweep_list
from sweeps.dashboard.report.markdown import markdown
from sweeps.dashboard.report.page import page
from sweeps.errors import SweepError
from tracking import TrackingError
from tracking.values.jsontext import decode, encode

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.just(2**70) | st.floats() | st.text(max_size=9)
VALUES = st.recursive(
    SCALARS | st.just("NaN"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
STATUSES = st.sampled_from(["completed", "failed", "killed", "pruned", "cancelled", "odd"])
EVENTS = st.sampled_from(
    ["asked", "began", "started", "run", "retry", "rung", "resumed", "finished", "ended", "odd"]
)
ENTRIES = st.fixed_dictionaries(
    {"event": EVENTS, "job": st.integers(0, 2) | VALUES, "at": st.just("2026-01-31T09:30:05+00:00") | VALUES},
    optional={
        "status": STATUSES | VALUES,
        "wall_s": st.floats(0, 9) | VALUES,
        "error": st.text() | VALUES,
        "note": VALUES,
        "value": st.floats() | st.dictionaries(st.just("val_auc"), st.floats()) | VALUES,
        "runs": st.lists(st.text(max_size=5), max_size=2) | VALUES,
        "run": VALUES,
        "slot": VALUES,
        "slots": st.integers(1, 4) | VALUES,
        "pid": VALUES,
        "attempt": st.integers(1, 3) | VALUES,
        "point": st.dictionaries(st.sampled_from([RATE, "b"]), VALUES, max_size=2) | VALUES,
        "traceback": VALUES,
        "told": VALUES,
        "arrivals": VALUES,
        "go_on": VALUES,
        "share_s": VALUES,
        "code": VALUES,
    },
)


@given(st.lists(ENTRIES, max_size=12))
def test_any_ledger_gives_facts_that_a_browser_reads_or_an_error_that_pages_show(entries: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = Told(Path(folder), total=2, swept=(RATE, "b"))
        told.begin()
        told.ask(0)
        told.finish(0, 1.0, value={"val_auc": 0.5})
        with (told.folder / "jobs.jsonl").open("ab") as ledger:
            ledger.writelines(encode(entry) + b"\n" for entry in entries)
        (listed,) = sweep_list(told.store)
        assert listed["sweep"] == told.name
        try:
            facts = sweep_facts(told.folder)
        except (SweepError, TrackingError):  # in one line, as pages show it
            return
        assert "error" not in listed
        json.loads(encode(facts), parse_constant=_refuse)
        assert decode(encode(facts))["sweep"] == told.name
        page(facts, [])
        markdown(facts)


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
