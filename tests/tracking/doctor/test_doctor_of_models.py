"""The doctor of registered models: half versions, changed files, histories and views that differ."""

import json
import shutil
from pathlib import Path

import pytest
from examined import examined, only

from tracking import ModelRegistry
from tracking.doctor import Fault, Outcome, model_checks


def test_a_half_registered_version_is_removed_unless_its_registration_is_in_the_history(
    models: ModelRegistry, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = store / "models" / "ctr" / "v3"
    half.mkdir()
    (half / "model_best.pt").write_bytes(b"wei")
    assert examined(store).findings == []
    monkeypatch.setattr(model_checks, "CLAIM_S", -1.0)
    finding = only(examined(store))
    assert (finding.fault, finding.place) == (Fault.HALF_VERSION, "models/ctr/v3")
    assert not half.exists()
    (store / "models" / "ctr" / "v1" / "manifest.json").unlink()
    finding = only(examined(store))
    assert (finding.outcome, finding.remedy) == (
        Outcome.OPEN,
        "restore manifest.json, or remove the version: python -m tracking remove ctr@1",
    )
    assert (store / "models" / "ctr" / "v1" / "model_best.pt").exists()


def test_a_model_file_that_is_not_the_registered_one_is_reported(models: ModelRegistry, store: Path) -> None:
    (store / "models" / "ctr" / "v2" / "model_best.pt").write_bytes(b"other")
    finding = only(examined(store))
    assert (finding.fault, finding.outcome) == (Fault.CHANGED_MODEL, Outcome.OPEN)
    assert "is not the file that was registered" in finding.what


def test_a_damaged_manifest_is_reported(models: ModelRegistry, store: Path) -> None:
    (store / "models" / "ctr" / "v1" / "manifest.json").write_text("{")
    finding = only(examined(store))
    assert (finding.fault, finding.place) == (Fault.DAMAGED, "models/ctr/v1/manifest.json")


def test_aliases_follow_the_events_and_a_torn_event_is_cut(models: ModelRegistry, store: Path) -> None:
    folder = store / "models" / "ctr"
    (folder / "aliases.json").write_text('{"champion": 1}')
    with (folder / "events.jsonl").open("a") as events:
        events.write('{"event":"promo')
    assert [finding.fault for finding in examined(store).findings] == [Fault.TORN_LINE, Fault.OLD_VIEW]
    assert json.loads((folder / "aliases.json").read_text()) == {"champion": 2}
    assert (folder / "events.jsonl").read_text().endswith("}\n")


def test_a_store_of_models_alone_is_repaired_and_gets_no_list_of_runs(
    models: ModelRegistry, store: Path
) -> None:
    for path in (store / "runs", store / "metadata.json"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (store / "models" / "ctr" / "aliases.json").unlink()
    finding = only(examined(store))
    assert (finding.fault, finding.outcome) == (Fault.OLD_VIEW, Outcome.REPAIRED)
    assert not (store / "metadata.json").exists()


def test_a_version_whose_registration_was_not_written_down_gets_its_event(
    models: ModelRegistry, store: Path
) -> None:
    path = store / "models" / "ctr" / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"registered","version":1' not in line))
    finding = only(examined(store))
    assert (finding.fault, finding.outcome) == (Fault.NO_EVENT, Outcome.REPAIRED)
    assert [event.version for event in models.history("ctr") if event.kind == "registered"] == [2, 1]
    champion = models.champion("ctr")
    assert champion is not None
    assert champion.version == 2
