"""What is wrong with one version or one event costs itself alone; every change of a champion checks alike."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import (
    CorruptFileError,
    ExperimentTracker,
    InvalidValueError,
    ModelLoadError,
    ModelRegistry,
    RunInUseError,
    TrackingError,
    UnknownModelError,
)
from tracking.doctor import Fault, Outcome, examine
from tracking.store.store import Store

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


@pytest.fixture
def registry(reigning: Callable[..., ModelRegistry]) -> ModelRegistry:
    """A registry whose model ctr has had the champions 1, 2, 3 and 4."""
    return reigning(4)


def folder(base: Path, number: int) -> Path:
    return base / "models" / "ctr" / f"v{number}"


def lost(path: Path) -> None:
    shutil.rmtree(path)


def a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("")


def no_manifest(path: Path) -> None:
    (path / "manifest.json").unlink()


def torn_manifest(path: Path) -> None:
    (path / "manifest.json").write_text('{"files')


def newer_manifest(path: Path) -> None:
    (path / "manifest.json").write_text('{"format": 99}')


def mistyped_manifest(path: Path) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "data": [], "objective": 3}))


def deep_manifest(path: Path) -> None:
    manifest = (path / "manifest.json").read_text()
    deep = '{"a":' * 800 + "1" + "}" * 800  # less than JSON's reader takes
    (path / "manifest.json").write_text(json.dumps({**json.loads(manifest), "metrics": json.loads(deep)}))


def manifest_is_folder(path: Path) -> None:
    (path / "manifest.json").unlink()
    (path / "manifest.json").mkdir()


def other_weights(path: Path) -> None:
    (path / "model_best.pt").write_bytes(b"other")


def no_weights(path: Path) -> None:
    (path / "model_best.pt").unlink()


UNREADABLE = [
    lost,
    a_file,
    no_manifest,
    torn_manifest,
    newer_manifest,
    mistyped_manifest,
    deep_manifest,
    manifest_is_folder,
]
Spoil = Callable[[Path], None]


@pytest.mark.parametrize("spoil", [*UNREADABLE, other_weights, no_weights])
def test_a_version_that_cannot_be_loaded_is_stepped_over_and_costs_itself_alone(
    registry: ModelRegistry, base: Path, spoil: Spoil, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(base / "models" / "ctr", base / "models" / "other")
    spoil(folder(base, 3))
    spoil(folder(base, 4))
    for call in (
        lambda: registry.promote("ctr", 3, reason="again"),
        lambda: registry.set_alias("ctr", "staging", 3),
        lambda: registry.load("ctr", 3, allow=["os"]),
        lambda: registry.load("ctr", allow=["os"]),
    ):
        with pytest.raises((CorruptFileError, ModelLoadError), match=r"v[34]|version [34]"):
            call()
    assert registry.models() == ["ctr", "other"]
    assert len(registry.versions("other")) == 4
    assert [each.version for each in registry.versions("ctr")] == (
        [1, 2] if spoil in UNREADABLE else [1, 2, 3, 4]
    )
    assert registry.aliases("ctr") == {"champion": 4}
    places = {finding.place for finding in examine(Store(base), repair=False).findings}
    assert any("ctr/v3" in place for place in places)
    assert registry.rollback("ctr", reason="broken").version == 2
    assert "stepped over: version 3 " in caplog.text
    assert registry.champion("ctr").version == 2
    assert registry.rollback("ctr").version == 1
    with pytest.raises(UnknownModelError, match="version 1 is the first champion"):
        registry.rollback("ctr")


@pytest.mark.parametrize("spoil", UNREADABLE)
def test_the_run_of_a_version_that_cannot_be_read_stays_and_others_may_go(
    registry: ModelRegistry, tracker: ExperimentTracker, base: Path, spoil: Spoil
) -> None:
    with tracker.start_run("unrelated") as run:
        pass
    spoil(folder(base, 3))
    with pytest.raises(RunInUseError, match="version 3 of the model 'ctr'"):
        tracker.delete_run("run_003")
    tracker.delete_run(run.run_id)
    assert registry.remove("ctr", 3) == [3]
    tracker.delete_run("run_003")
    assert [each.version for each in registry.versions("ctr")] == [1, 2, 4]
    assert not folder(base, 3).exists()
    assert examine(Store(base), repair=False).is_well


def test_a_rollback_without_any_intact_champion_changes_nothing(registry: ModelRegistry, base: Path) -> None:
    for number, spoil in ((1, lost), (2, other_weights), (3, torn_manifest)):
        spoil(folder(base, number))
    before = registry.history("ctr")
    with pytest.raises(
        UnknownModelError, match=r"cannot be rolled back: version 3 .*; version 2 .*; version 1 "
    ):
        registry.rollback("ctr")
    assert registry.history("ctr") == before


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "7",
        '{"event":"promoted"}',
        '{"event":"exploded","version":1,"at":"2026-01-01T00:00:00+00:00"}',
        '{"event":"promoted","version":1e999,"at":"2026-01-01T00:00:00+00:00"}',
        '{"event":"promoted","version":-1,"at":"2026-01-01T00:00:00+00:00"}',
        '{"event":"promoted","version":1,"at":"2026-01-01T00:00:00+00:00","before":"x"}',
        '{"event":"promoted","version":1,"at":3}',
        '{"event":"aliased","version":1,"at":"2026-01-01T00:00:00+00:00","alias":["x"]}',
    ],
)
def test_a_damaged_event_is_named_and_the_others_count(
    registry: ModelRegistry, base: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (base / "models" / "ctr" / "events.jsonl").open("a") as events:
        events.write(line + "\n")
    assert registry.champion("ctr").version == 4
    assert "left out: " in caplog.text
    registry.promote("ctr", 2, reason="better")
    assert registry.rollback("ctr").version == 4


@pytest.mark.parametrize("number", range(1, 5))
def test_a_promotion_that_was_damaged_follows_from_the_next_or_from_the_aliases(
    registry: ModelRegistry, base: Path, number: int
) -> None:
    path = base / "models" / "ctr" / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    damaged = f'"promoted","version":{number}'
    path.write_text("".join("damaged\n" if damaged in line else line for line in lines))
    assert registry.champion("ctr").version == 4
    assert [registry.rollback("ctr").version for _ in range(3)] == [3, 2, 1]


def test_a_history_that_cannot_be_read_hides_no_version(registry: ModelRegistry, base: Path) -> None:
    shutil.copytree(base / "models" / "ctr", base / "models" / "other")
    (base / "models" / "ctr" / "events.jsonl").unlink()
    (base / "models" / "ctr" / "events.jsonl").mkdir()
    assert registry.models() == ["ctr", "other"]
    assert len(registry.versions("ctr")) == 4
    for call in (registry.champion, registry.history, registry.aliases, registry.rollback):
        with pytest.raises(TrackingError, match=r"events\.jsonl"):
            call("ctr")
    assert registry.champion("other").version == 4
    places = [finding.place for finding in examine(Store(base), repair=False).findings]
    assert places == ["models/ctr/events.jsonl"]


def test_the_same_run_with_other_files_or_arguments_is_another_version(
    base: Path, tracker: ExperimentTracker
) -> None:
    registry = ModelRegistry(base)
    with tracker.start_run("x") as run:
        for value in (0.1, 0.8):
            run.log({"val_auc": value})
        for name in ("a.pt", "b.pt", "model_best.pt"):
            (run.artifacts_dir / name).write_bytes(b"weights")
    calls: list[dict[str, Any]] = [
        {},
        {"files": ["a.pt"]},
        {"files": ["b.pt"]},
        {"files": ["a.pt", "b.pt"]},
        {"loader": "trainer:load_model"},
        {"metrics": {"val_auc": float("nan")}},
        {"objective": {**OBJECTIVE, "value": 0.1}},
        {"objective": {**OBJECTIVE, "mode": "min"}},
    ]
    for _ in range(2):
        found = [registry.register("m", run.run_id, **{"objective": OBJECTIVE, **call}) for call in calls]
        assert [version.version for version in found] == list(range(1, 9))
    (run.artifacts_dir / "model_best.pt").write_bytes(b"better weights")
    assert registry.register("m", run.run_id, objective=OBJECTIVE).version == 9
    assert registry.register("m", run.run_id, objective=OBJECTIVE).version == 9
    other_weights(base / "models" / "m" / "v9")
    assert registry.register("m", run.run_id, objective=OBJECTIVE).version == 10


def test_a_removed_version_is_gone_and_its_number_stays_taken(
    registry: ModelRegistry, tracker: ExperimentTracker, base: Path
) -> None:
    registry.set_alias("ctr", "staging", 1)
    for number, what in ((4, "is its champion"), (1, "has the alias 'staging'")):
        with pytest.raises(InvalidValueError, match=f"version {number} of 'ctr' {what}; "):
            registry.remove("ctr", number)
    assert registry.remove("ctr", 3, reason="too large", by="ann") == [3]
    with pytest.raises(UnknownModelError, match="has no version 3; it has 1, 2, 4"):
        registry.version("ctr", 3)
    with pytest.raises(UnknownModelError, match="has no version 3"):
        registry.remove("ctr", 3)
    tracker.delete_run("run_003")
    assert registry.rollback("ctr").version == 2
    assert registry.remove("ctr", 4) == [4]
    with pytest.raises(InvalidValueError, match="not an int"):
        registry.remove("ctr", True)
    assert registry.register("ctr", "run_001", objective={**OBJECTIVE, "mode": "min"}).version == 5
    assert registry.remove("ctr") == [1, 2, 5]
    assert registry.models() == []
    assert [event.version for event in registry.history("ctr") if event.kind == "removed"] == [3, 4, 1, 2, 5]
    tracker.delete_run("run_001")
    assert registry.register("ctr", "run_002", objective=OBJECTIVE).version == 6
    assert registry.champion("ctr") is None


def test_a_removal_that_was_cut_off_is_completed_by_the_doctor(
    registry: ModelRegistry, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            "tracking.registry.models.remove_folder", lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            registry.remove("ctr", 2)
    assert [each.version for each in registry.versions("ctr")] == [1, 3, 4]
    (finding,) = examine(Store(base)).findings
    assert (finding.fault, finding.place, finding.outcome) == (
        Fault.LEFTOVER,
        "models/ctr/v2",
        Outcome.REPAIRED,
    )
    assert not folder(base, 2).exists()


@pytest.mark.parametrize("linked", ["models", "models/ctr"])
def test_a_folder_of_models_that_leads_out_of_the_store_is_neither_read_nor_written(
    base: Path, registry: ModelRegistry, tmp_path: Path, linked: str
) -> None:
    outside = tmp_path / "outside"
    (base / linked).rename(outside)
    (base / linked).symlink_to(outside)
    before = {path: path.stat().st_mtime_ns for path in outside.rglob("*")}
    for call in (
        lambda: registry.register("ctr", "run_001", objective=OBJECTIVE),
        lambda: registry.promote("ctr", 1, reason="better"),
        lambda: registry.rollback("ctr"),
        lambda: registry.set_alias("ctr", "staging", 1),
        lambda: registry.remove_alias("ctr", "staging"),
        lambda: registry.remove("ctr", 1),
        lambda: registry.champion("ctr"),
        lambda: registry.history("ctr"),
        lambda: registry.load("ctr"),
    ):
        with pytest.raises(CorruptFileError, match="is a link, and links are not followed"):
            call()
    assert {path: path.stat().st_mtime_ns for path in outside.rglob("*")} == before


CONFLICTS = ["events (1).jsonl", "events.sync-conflict-20240101-101010-ABCDEFG.jsonl"]


@pytest.mark.parametrize("kept", [0, 1, 4, 8])
@pytest.mark.parametrize("name", CONFLICTS)
def test_the_events_of_conflict_copies_count_and_the_doctor_adds_them(
    registry: ModelRegistry, base: Path, name: str, kept: int
) -> None:
    events = base / "models" / "ctr" / "events.jsonl"
    lines, whole = events.read_bytes().splitlines(keepends=True), registry.history("ctr")
    events.with_name(name).write_bytes(b"".join(lines))
    events.write_bytes(b"".join(lines[:kept]))
    assert registry.history("ctr") == whole
    seen = examine(Store(base))
    assert [finding.place for finding in seen.findings if finding.fault is Fault.CONFLICT] == [
        f"models/ctr/{name}"
    ]
    events.with_name(name).unlink()
    assert registry.history("ctr") == whole
    assert examine(Store(base)).is_well


def test_an_alias_whose_event_was_lost_stays_and_is_named(registry: ModelRegistry, base: Path) -> None:
    registry.set_alias("ctr", "staging", 2)
    registry.set_alias("ctr", "canary", 1)
    registry.remove_alias("ctr", "canary")
    model = base / "models" / "ctr"
    before = (model / "aliases.json").read_bytes()
    (model / "events.jsonl").unlink()
    named = [finding.what for finding in examine(Store(base)).findings if finding.fault is Fault.LOST]
    assert len(named) == 2
    assert "version 2, the staging of aliases.json" in named[1]
    assert (model / "aliases.json").read_bytes() == before
    assert registry.aliases("ctr") == {"champion": 4, "staging": 2}
    registry.promote("ctr", 4, reason="as before")
    registry.set_alias("ctr", "staging", 2)
    assert examine(Store(base)).is_well
    assert registry.aliases("ctr") == {"champion": 4, "staging": 2}


def test_an_event_whose_newline_is_missing_counts(registry: ModelRegistry, base: Path) -> None:
    events, whole = base / "models" / "ctr" / "events.jsonl", registry.history("ctr")
    text = events.read_bytes()
    events.write_bytes(text[:-1])
    assert registry.history("ctr") == whole
    (finding,) = examine(Store(base)).findings
    assert (finding.what, finding.outcome) == ("its last line has no newline", Outcome.REPAIRED)
    assert events.read_bytes() == text


def test_what_a_sync_program_kept_in_a_version_is_named(registry: ModelRegistry, base: Path) -> None:
    shutil.copy(folder(base, 1) / "manifest.json", folder(base, 1) / "manifest (1).json")
    (finding,) = examine(Store(base)).findings
    assert (finding.fault, finding.place) == (Fault.CONFLICT, "models/ctr/v1/manifest (1).json")
