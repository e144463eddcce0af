"""Which version is used: named as one text, returned to, taken out of use and back."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import (
    ExperimentTracker,
    InvalidNameError,
    InvalidValueError,
    ModelLoadError,
    ModelRegistry,
    RunInUseError,
    UnknownModelError,
)
from tracking.registry import EventKind, ModelEvent
from tracking.registry.events import champions, reigns

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


@pytest.fixture
def registry(reigning: Callable[..., ModelRegistry]) -> ModelRegistry:
    """A registry whose model ctr has had the champions 1, 2 and 3, and has a version 4."""
    return reigning(3, further=1)


def test_a_version_is_named_by_a_number_or_an_alias_behind_a_sign(registry: ModelRegistry) -> None:
    registry.set_alias("ctr", "staging", 2)
    for text, number in (
        ("ctr", 3),
        ("ctr@champion", 3),
        ("ctr@staging", 2),
        ("ctr@1", 1),
        ("ctr@v4", 4),
    ):
        assert registry.find(text).version == number
        ((place, _, _),) = registry.load(text, allow=["os"])
        assert Path(place).name == f"v{number}"
    assert registry.find("ctr", "staging") == registry.find("ctr", 2) == registry.find("ctr", "2")
    assert registry.verdict("ctr@staging") is None


@pytest.mark.parametrize(
    ("text", "which", "error", "message"),
    [
        ("ctr@9", None, UnknownModelError, "has no version 9; it has 1, 2, 3, 4"),
        ("ctr@nobody", None, UnknownModelError, "has no alias 'nobody'; it has: champion"),
        ("ctr@", None, InvalidNameError, "'ctr@' names no version; write NAME@WHICH"),
        ("@3", None, InvalidNameError, "'@3' names no version"),
        ("ctr@1", 2, InvalidValueError, "'ctr@1' and 2 name a version each"),
        ("ctr", True, InvalidValueError, "is not an int"),
        ("ctr", 1.0, InvalidValueError, "is not an int"),
        ("other@1", None, UnknownModelError, "no model 'other'"),
        ("../ctr@1", None, InvalidNameError, "model name '../ctr'"),
    ],
)
def test_what_names_no_version_is_refused(
    registry: ModelRegistry, text: str, which: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message.replace("(", r"\(")):
        registry.find(text, which)


def test_a_new_model_may_not_be_named_like_a_version(registry: ModelRegistry, base: Path) -> None:
    with pytest.raises(InvalidNameError, match="holds '@', which parts a name from a version"):
        registry.register("ctr@1", "run_001", objective=OBJECTIVE)
    (base / "models" / "ctr").rename(base / "models" / "ctr@1")  # an older version of podium allowed it
    assert registry.find("ctr@1").version == 3
    assert registry.find("ctr@1@2").version == 2


def test_a_rollback_can_name_the_champion_to_return_to(registry: ModelRegistry, base: Path) -> None:
    for _ in range(2):
        assert registry.rollback("ctr", to=1, reason="new data", by="ann").version == 1
    assert registry.champion("ctr").version == 1
    assert registry.rollback("ctr", to=3, reason="it was fine").version == 3
    told = [(event.version, event.before, event.reason) for event in registry.history("ctr")[-2:]]
    assert told == [(1, 3, "new data"), (3, 1, "it was fine")]
    with pytest.raises(
        UnknownModelError, match="version 4 of 'ctr' never was its champion; to make it that: "
    ):
        registry.rollback("ctr", to=4)
    with pytest.raises(UnknownModelError, match="has no version 9"):
        registry.rollback("ctr", to=9)
    (base / "models" / "ctr" / "v1" / "model_best.pt").write_bytes(b"other")
    with pytest.raises(ModelLoadError, match="is not the file that was registered"):
        registry.rollback("ctr", to=1)
    assert registry.champion("ctr").version == 3


def test_an_archived_version_is_listed_nowhere_and_is_no_champion(
    registry: ModelRegistry, tracker: ExperimentTracker, base: Path
) -> None:
    registry.set_alias("ctr", "staging", 4)
    for number, what in ((3, "is its champion"), (4, "has the alias 'staging'")):
        with pytest.raises(InvalidValueError, match=f"version {number} of 'ctr' {what}; "):
            registry.archive("ctr", number)
    for _ in range(2):
        registry.archive("ctr", 2, reason="too slow", by="ann")
    assert [each.version for each in registry.versions("ctr")] == [1, 3, 4]
    assert [each.version for each in registry.versions("ctr", with_archived=True)] == [1, 2, 3, 4]
    assert registry.archived("ctr") == {2}
    assert [event.kind for event in registry.history("ctr")].count("archived") == 1
    for call in (
        lambda: registry.promote("ctr", 2, reason="again"),
        lambda: registry.rollback("ctr", to=2),
        lambda: registry.set_alias("ctr", "canary", 2),
    ):
        with pytest.raises(
            InvalidValueError, match=r"version 2 of 'ctr' is archived; take it back first: .*ctr@2"
        ):
            call()
    assert registry.rollback("ctr").version == 1  # steps over it
    assert registry.load("ctr", 2, allow=["os"])
    with pytest.raises(RunInUseError, match="version 2 of the model 'ctr'"):
        tracker.delete_run("run_002")
    registry.unarchive("ctr", 2)
    registry.unarchive("ctr", 2)
    assert [each.version for each in registry.versions("ctr")] == [1, 2, 3, 4]
    assert registry.champion("ctr").version == 1
    assert registry.promote("ctr", 2, reason="again").version == 2


def test_an_archived_version_can_be_removed_and_a_model_of_archived_ones_is_there(
    registry: ModelRegistry, make_run: Any
) -> None:
    registry.archive("ctr", 4)
    registry.remove("ctr", 4)
    assert registry.archived("ctr") == set()
    registry.register("old", make_run(), objective=OBJECTIVE)
    registry.archive("old", 1)
    assert registry.models() == ["ctr", "old"]
    assert registry.versions("old") == []
    assert (
        registry.register("old", "run_005", objective=OBJECTIVE).version == 1
    )  # the same, and still archived
    assert registry.archived("old") == {1}


def test_an_event_of_another_version_of_podium_is_left_out(
    registry: ModelRegistry, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = base / "models" / "ctr" / "events.jsonl"
    line = {**json.loads(path.read_text().splitlines()[-1]), "event": "blessed"}
    with path.open("a") as events:
        events.write(json.dumps(line) + "\n")
    assert registry.champion("ctr").version == 3
    assert "a line that is not an event" in caplog.text


KINDS = st.sampled_from(
    [
        EventKind.PROMOTED,
        EventKind.ROLLED_BACK,
        EventKind.ARCHIVED,
        EventKind.UNARCHIVED,
        EventKind.REMOVED,
        EventKind.LOOKED,
        EventKind.REFUSED,
        EventKind.EXPORTED,
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(KINDS, st.integers(1, 4)), max_size=30))
def test_the_times_of_champions_follow_each_other_without_gaps_to_the_present_one(
    steps: list[tuple[EventKind, int]],
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    events: list[ModelEvent] = []
    for place, (kind, version) in enumerate(steps):
        before = champions(events)[-1:]
        events.append(
            ModelEvent(kind, version, start + timedelta(seconds=place), "", "", before[0] if before else None)
        )
    found = reigns(events)
    for (_, _, until), (since, _, _) in itertools.pairwise(found):
        assert until is not None
        assert until.at <= since.at
    current = [held for _, held, until in found if until is None]
    assert current == champions(events)[-1:]
