"""An alert is plain text with the numbers that matter; a line whose fact is unknown is left out."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from tracking.notify import Alert, AlertEvent
from tracking.notify.alerts import TEMPLATES
from tracking.values.jsontext import encode

SWEEP = {
    "sweep": "s1",
    "subject": "sweep s1",
    "metric": "val_auc",
    "value": 0.791234567,
    "run": "run_017",
    "job": 7,
    "params": {"lr": 0.001, "dropout": None},
    "jobs": {"completed": 23, "failed": 1},
    "total": 24,
    "duration_s": 3723.0,
    "host": "node1",
    "look": "python -m sweeps show s1",
}
MODEL = {"model": "ctr", "version": 3, "champion_version": 2, "champion_value": 0.7834, "margin": 0.0078}

TEXTS = {
    AlertEvent.PROMOTED: """\
New champion of ctr: v3, val_auc 0.791235

Champion before: v2, val_auc 0.7834
Gain: +0.0078
Why: it is better; and more
Run: run_017
Job: 7 (lr=0.001 dropout=null)
Sweep: s1, 23 completed, 1 failed, in 1:02:03
Look closer on node1: python -m sweeps show s1
""",
    AlertEvent.REFUSED: """\
Not promoted to champion of ctr: val_auc 0.791235

Champion: v2, val_auc 0.7834
Gain: +0.0078
Why: it is better; and more
Run: run_017
Job: 7 (lr=0.001 dropout=null)
Sweep: s1, 23 completed, 1 failed, in 1:02:03
Look closer on node1: python -m sweeps show s1
""",
    AlertEvent.FINISHED: """\
Finished: sweep s1, best val_auc 0.791235

Jobs: 23 completed, 1 failed, in 1:02:03
Run: run_017
Job: 7 (lr=0.001 dropout=null)
Look closer on node1: python -m sweeps show s1
""",
    AlertEvent.FAILED: """\
Failed: sweep s1

Jobs: 23 completed, 1 failed, in 1:02:03
Best so far: val_auc 0.791235, run_017
Look closer on node1: python -m sweeps show s1
""",
    AlertEvent.BEST: """\
New best of sweep s1: val_auc 0.791235

Run: run_017
Job: 7 (lr=0.001 dropout=null)
Jobs so far: 23 completed, 1 failed of 24, in 1:02:03
Look closer on node1: python -m sweeps show s1
""",
}


@pytest.mark.parametrize("event", AlertEvent)
def test_each_event_has_a_text(event: AlertEvent) -> None:
    facts = (
        SWEEP | MODEL | {"why": ["it is better", "and more"]} if event in ("promoted", "refused") else SWEEP
    )
    alert = Alert.of(event, **facts)
    assert alert.text == TEXTS[event]
    assert alert.title == alert.text.splitlines()[0]


def test_a_line_without_its_facts_is_left_out() -> None:
    alert = Alert.of(AlertEvent.PROMOTED, model="ctr", version=1, metric="loss", value=None, why=[])
    assert alert.text == "New champion of ctr: v1\n\n"


def test_programs_get_the_facts_by_name() -> None:
    alert = Alert.of(AlertEvent.FINISHED, **SWEEP | {"value": math.inf})
    read = json.loads(encode(alert.as_plain()))
    assert {name: read[name] for name in ("event", "title", "job", "params", "jobs")} == {
        "event": "finished",
        "title": "Finished: sweep s1, best val_auc inf",
        "job": 7,
        "params": {"lr": 0.001, "dropout": None},
        "jobs": {"completed": 23, "failed": 1},
    }
    assert read["value"] == "Infinity"
    assert read["text"] == alert.text


def test_a_fact_is_one_line_of_bounded_length_without_secrets() -> None:
    error = "ValueError: {braces}\r\nSubject: no\x1b[31m password=hunter2 " + "y" * 9000
    alert = Alert.of(AlertEvent.FAILED, subject="sweep {s1}\nX: y", error=error)
    title, empty, line = alert.text.splitlines()
    assert (title, empty) == ("Failed: sweep {s1} X: y", "")
    assert line.startswith("Error: ValueError: {braces} Subject: no [31m password=*** yyy")
    assert len(line) < 2100
    assert "hunter2" not in json.dumps(alert.as_plain())


def test_a_swept_secret_is_masked_in_the_text_and_in_the_facts() -> None:
    alert = Alert.of(AlertEvent.BEST, **SWEEP | {"params": {"db.password": "hunter2"}})
    assert "db.password=***" in alert.text
    assert alert.facts["params"] == {"db.password": "***"}


PAGE = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
SHOWN = {
    **SWEEP,
    **MODEL,
    "sweep": "20260131-093000",
    "subject": "sweep 20260131-093000",
    "params": {"training.learning_rate": 0.001, "model.dropout": 0.1},
}
STORE = "--store /data/experiments"
LOOKS = {
    AlertEvent.PROMOTED: f"python -m tracking champion ctr {STORE}",
    AlertEvent.FAILED: f"python -m sweeps jobs 20260131-093000 --failed {STORE}",
}
DOCUMENTED: dict[AlertEvent, dict[str, Any]] = {
    AlertEvent.PROMOTED: {
        "why": "val_auc 0.791235 beats the champion (version 2), 0.7834: a gain of 0.007835, more than 0 is asked"
    },
    AlertEvent.REFUSED: {
        "value": 0.7756,
        "margin": -0.0078,
        "why": "val_auc 0.7756 does not beat the champion (version 2), 0.7834: a gain of -0.0078, more than 0 is asked",
    },
    AlertEvent.FINISHED: {"first_failure": "job 3: ValueError: no such file"},
    AlertEvent.FAILED: {
        "first_failure": "job 3: ValueError: no such file",
        "error": "1 of 24 jobs failed (max_failures=0)",
    },
    AlertEvent.BEST: {"before": 0.7834, "jobs": {"completed": 8, "failed": 1}, "duration_s": 1215.0},
}


@pytest.mark.parametrize("event", AlertEvent)
def test_the_page_shows_the_text_that_is_sent(event: AlertEvent) -> None:
    look = LOOKS.get(event, f"python -m sweeps show 20260131-093000 {STORE}")
    assert f"```text\n{Alert.of(event, **{**SHOWN, 'look': look, **DOCUMENTED[event]}).text}```" in PAGE


def test_the_page_names_every_fact() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.partition("## What a program gets")[2]))
    assert {name for template in TEMPLATES.values() for name in fields(template)} <= named


def fields(template: Any) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", " ".join((*template.titles, *template.lines))))
