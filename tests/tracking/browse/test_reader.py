"""StoreReader as a whole: models, and that nothing of a store changes by looking at it."""

import os
import sys
import textwrap
from pathlib import Path
from subprocess import run

import pytest
from plain_json import assert_plain
from verdicts_made import KINDS

from tracking import ExperimentTracker, ModelRegistry, UnknownModelError, Verdict
from tracking.browse.reader import StoreReader


def test_models_are_shown_with_champions_and_history(models: ModelRegistry, reader: StoreReader) -> None:
    models.record_verdict("ctr", 2, Verdict(True, "Promoted: beats version 1.", ("beats version 1",)))
    found = reader.models()
    assert_plain(found)
    (line,) = found["models"]
    assert (line["name"], line["versions"]) == ("ctr", 2)
    assert (line["champion"]["version"], line["champion"]["run"]) == (2, "run_002")
    assert line["champion"]["since"]
    assert line["last_verdict"]["reasons"] == ["beats version 1"]
    model = reader.model("ctr")
    assert_plain(model)
    assert [version["version"] for version in model["versions"]] == [2, 1]
    assert model["champion"] == 2
    assert [event["what"] for event in model["events"]] == ["registered", "promoted"] * 2
    assert model["versions"][0]["verdict"]["promote"] is True
    assert model["versions"][0]["files"][0]["size"] == 7
    assert any("rollback ctr" in command for command in model["commands"])
    assert any("promote ctr@1" in command for command in model["commands"])
    assert reader.run("run_002")["models"] == [{"name": "ctr", "version": 2, "aliases": ["champion"]}]
    with pytest.raises(UnknownModelError):
        reader.model("gone")


def test_a_version_is_shown_with_its_whole_verdict_and_its_code(
    models: ModelRegistry, reader: StoreReader, base: Path
) -> None:
    models.record_verdict("ctr", 2, Verdict.from_json(KINDS["promoted"]))
    found = reader.model_version("ctr", 2)
    assert_plain(found)
    assert found["verdict"]["notes"][0]["name"] == "Rows"
    assert len(found["verdict"]["pictures"]["curves"]) == 2
    assert found["left_out"] == []
    (base / "runs" / "run_002" / "git.json").write_text('{"commit": "c3d4", "branch": "main", "dirty": true}')
    assert reader.model_version("ctr", 2)["code"] == {"commit": "c3d4", "branch": "main", "dirty": True}
    brief = reader.model("ctr")["versions"][0]["verdict"]
    assert "pictures" not in brief
    assert (brief["look"], brief["champion"]["version"]) == (2, 1)
    (base / "models" / "ctr" / "v2" / "verdict.json").write_text("{}")
    damaged = reader.model_version("ctr", 2)
    assert damaged["verdict"] is None
    assert "verdict.json is not a verdict" in damaged["left_out"][0]
    assert reader.model_version("ctr", 1)["verdict"] is None
    with pytest.raises(UnknownModelError):
        reader.model_version("ctr", 3)


def test_every_verdict_that_a_version_keeps_is_told_and_the_one_that_counts_is_named(
    models: ModelRegistry, reader: StoreReader
) -> None:
    assert reader.model_version("ctr", 2)["verdicts"] == []
    models.record_verdict("ctr", 2, Verdict.from_json(KINDS["refused"]))
    models.record_verdict("ctr", 2, Verdict(False, "The scorer could not be imported.", ("x",), "scores"))
    found = reader.model_version("ctr", 2)
    assert_plain(found)
    assert found["number"] == 1
    assert [(each["number"], each["counts"]) for each in found["verdicts"]] == [(2, False), (1, True)]
    assert found["verdict"]["sentence"] == KINDS["refused"]["sentence"]
    other = reader.model_version("ctr", 2, which=2)
    assert_plain(other)
    assert (other["number"], other["verdict"]["sentence"]) == (2, "The scorer could not be imported.")
    assert [version["verdicts"] for version in reader.model("ctr")["versions"]] == [2, 0]
    with pytest.raises(UnknownModelError, match="has no verdict 3"):
        reader.model_version("ctr", 2, which=3)


def test_a_former_champion_tells_which_verdict_promoted_it(
    models: ModelRegistry, reader: StoreReader
) -> None:
    first = models.record_verdict("ctr", 1, Verdict.from_json(KINDS["promoted"]))
    assert reader.model_version("ctr", 1)["promoted_by"] is None  # by hand
    models.promote("ctr", 1, reason="better", by="the gate", verdict=first.sha256)
    models.promote("ctr", 2, reason="better still", by="ann")
    models.record_verdict("ctr", 1, Verdict.from_json(KINDS["refused"]))
    found = reader.model_version("ctr", 1)
    assert_plain(found)
    assert (found["number"], found["promoted_by"], found["verdict"]["promote"]) == (2, 1, False)
    model = reader.model("ctr")
    assert_plain(model)
    two, one = (version["promoted"] for version in model["versions"])
    assert (two["who"], two["why"], two["by_verdict"]) == ("ann", "better still", False)
    assert (one["who"], one["why"], one["by_verdict"]) == ("the gate", "better", True)
    models.register(
        "new",
        "run_001",
        files=["model_best.pt"],
        objective={"metric": "val_auc", "mode": "max", "value": 0.7},
    )
    assert reader.model("new")["versions"][0]["promoted"] is None
    assert reader.model_version("new", 1)["promoted_by"] is None


def test_every_kind_of_event_is_shown_and_an_imported_version_belongs_to_no_run(
    models: ModelRegistry, reader: StoreReader, tmp_path: Path
) -> None:
    models.spend_look("ctr", 1, split="s", key="k")
    models.refuse("ctr", 1, reason="too close")
    models.archive("ctr", 1)
    models.unarchive("ctr", 1)
    models.archive("ctr", 1, reason="too old")
    models.import_version(models.export("ctr@2", tmp_path / "out"), name="ours")
    model = reader.model("ctr")
    assert_plain(model)
    assert [(event["what"], event["look"]) for event in model["events"][4:]] == [
        ("looked", 1),
        ("refused", None),
        ("archived", None),
        ("unarchived", None),
        ("archived", None),
        ("exported", None),
    ]
    assert [version["version"] for version in model["versions"]] == [2, 1]
    assert [version["archived"] and version["archived"]["why"] for version in model["versions"]] == [
        None,
        "too old",
    ]
    assert model["versions"][1]["archived"]["at"] == model["events"][-2]["at"]
    assert not any("ctr@1" in command for command in model["commands"])
    imported = reader.model("ours")
    assert_plain(imported)
    assert imported["versions"][0]["origin"]["name"] == "ctr"
    assert [each["name"] for each in reader.run("run_002")["models"]] == ["ctr"]


def test_the_code_to_load_a_model_is_python(models: ModelRegistry, reader: StoreReader, base: Path) -> None:
    code = reader.model("ctr")["load"]
    compile(code, "load", "exec")
    assert f"{str(base)!r}" in code
    assert "'ctr'" in code


def test_damaged_models_cost_only_themselves(models: ModelRegistry, reader: StoreReader, base: Path) -> None:
    (base / "models/ctr/v2/manifest.json").write_text("{")
    (base / "models/ctr/v1/verdict.json").write_text("[]")
    (base / "models/evil").symlink_to("/etc")
    found = reader.models()
    assert found["models"][0]["versions"] == 1
    assert len(found["left_out"]) >= 2
    model = reader.model("ctr")
    assert [version["version"] for version in model["versions"]] == [1]
    assert model["left_out"]
    assert reader.run("run_001")["models"] == [{"name": "ctr", "version": 1, "aliases": []}]


def state_of(folder: Path) -> dict[str, tuple[int, ...]]:
    states = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place), *(Path(place, name) for name in names)):
            state = path.lstat()
            states[str(path)] = (state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino)
    return states


def look_at_everything(reader: StoreReader) -> None:
    reader.version()
    reader.names()
    table = reader.table()
    reader.table(by_seeds=True, sort=["-test_auc"])
    ids = table["run_ids"]
    reader.compare(ids)
    reader.curves(ids, ["val_loss"])
    for run_id in ids:
        reader.run(run_id)
        reader.output(run_id, start=-100, most=100)
        reader.file(run_id, "run.json").stream.close()
        page = reader.follow(run_id)
        page.read()
        page.close()
        reader.follow_text(run_id).read()
    reader.models()
    reader.model("ctr")


def test_looking_changes_nothing_in_the_store(
    models: ModelRegistry, reader: StoreReader, base: Path, tracker: ExperimentTracker
) -> None:
    with tracker.start_run("ctr_model") as running:
        running.log({"val_loss": 0.5})
        before = state_of(base)
        look_at_everything(reader)
        assert state_of(base) == before


def test_looking_loads_nothing_heavy(models: ModelRegistry, base: Path) -> None:
    code = """
    import sys
    from pathlib import Path
    from tracking.browse.reader import StoreReader
    reader = StoreReader(Path(sys.argv[1]))
    reader.table(); reader.names(); reader.run("run_001"); reader.models(); reader.model("ctr")
    reader.curves(["run_001"], ["val_loss"]); reader.compare(["run_001", "run_002"])
    print(sorted({"numpy", "pandas", "matplotlib", "sklearn", "torch", "yaml", "hydra", "typer"} & set(sys.modules)))
    """
    done = run(
        [sys.executable, "-c", textwrap.dedent(code), str(base)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_one_reader_serves_several_threads(models: ModelRegistry, reader: StoreReader) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(look_at_everything, reader) for _ in range(8)]:
            future.result()
