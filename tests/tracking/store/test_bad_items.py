"""One bad item of a store costs itself: it is named, the other runs are answered for, and nothing outside is touched."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from bad_kinds import KINDS, OUTSIDE, to_device, to_folder, to_link, to_loop, to_pipe, to_socket
from command_line import Say

from tracking import ExperimentTracker, MissingFileError, ModelRegistry, StoreUnwritableError, TrackingError
from tracking.doctor import Fault, examine, leftovers
from tracking.files import folders
from tracking.paths import RunPaths
from tracking.store import trash
from tracking.store.store import Store
from tracking.transfer import import_runs
from tracking.transfer.imports import select

NAMES = ["run.json", "params.json", "metrics.json", "metrics.jsonl", "summary.json", "env.json", "stdout.log"]


def replace(path: Path, kind: Callable[[Path, Path], None], outside: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    kind(path, outside)


def ask_all(base: Path, say: Say, target: Path) -> list[str]:
    """Ask every command about all runs; return the ids that `list` shows."""
    for command in (
        ("list", "e"),
        ("search", "lr > 0"),
        ("best", "e", "--metric", "a"),
        ("export", "e"),
        ("doctor", "--dry-run"),
        ("import", str(base), "--store", str(target)),
        ("doctor",),
        ("gc", "--yes"),
        ("reindex",),
    ):
        _, out, err = say(*command)
        assert "Traceback" not in err
        if command[0] in ("list", "search", "export"):
            assert {"run_001", "run_003"} <= set(out.replace(",", " ").split()), (command, out, err)
        if command[0] == "best":
            assert "run_003" in out
    shown = json.loads(say("list", "e", "--json")[1])
    return [run["run_id"] for run in shown]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((kind, name) for kind in (to_pipe, to_link, to_folder) for name in NAMES),
        *(
            (kind, name)
            for kind in (to_loop, to_device, to_socket)
            for name in ("run.json", "metrics.jsonl", "stdout.log")
        ),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_is_no_file_is_named_and_costs_no_other_run(
    three: Path, base: Path, say: Say, outside: Path, tmp_path: Path, kind: Callable[..., None], name: str
) -> None:
    path = three / name
    replace(path, kind, outside)
    target = tmp_path / "target"
    (target / "runs").mkdir(parents=True)
    named = [f"{finding.place}: {finding.what}" for finding in examine(Store(base), repair=False).findings]
    ask_all(base, say, target)
    assert any(text.startswith(f"runs/run_002/{name}: ") for text in named)
    for command in (("show", "run_002"), ("tail", "run_002"), ("diff", "run_001", "run_002")):
        assert say(*command)[0] in (0, 1, 2)
    for act in (
        lambda: ExperimentTracker(base).get_run("run_002"),
        lambda: ExperimentTracker(base).log_metrics("run_002", {"a": 1.0}),
        lambda: ExperimentTracker(base).log_params("run_002", {"b": 1}),
        lambda: ExperimentTracker(base).open_run("run_002").set_tags({"c": "d"}),
        lambda: ExperimentTracker(base).finish_run("run_002"),
        lambda: ExperimentTracker(base).delete_run("run_002"),
    ):
        with suppress(TrackingError):  # it may be refused
            act()
    say("gc", "--yes")
    assert outside.read_bytes() == OUTSIDE


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("name", ["run.json", "params.json", "metrics.json", ""])
def test_what_the_system_refuses_to_read_is_named_and_costs_no_other_run(
    three: Path, base: Path, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, name: str
) -> None:
    """A file, or with the empty name a whole folder, of another user or on a bad disk."""
    place = str(three / name) if name else f"{three}/"
    real = {call: getattr(os, call) for call in ("open", "lstat", "stat", "scandir")}

    def refusing(call: str) -> Callable[..., object]:
        def wrapped(path: object, *args: object, **kwargs: object) -> object:
            text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
            is_refused = text == place or (not name and f"{text}/".startswith(place))
            if is_refused and (call == "open" or (not name and text != str(three))):
                raise OSError(code, os.strerror(code), text)
            return real[call](path, *args, **kwargs)

        return wrapped

    for call in real:
        monkeypatch.setattr(os, call, refusing(call))
    target = tmp_path / "target"
    (target / "runs").mkdir(parents=True)
    shown = ask_all(base, say, target)
    assert shown == ["run_001", "run_003"] or name in ("params.json", "metrics.json")
    assert os.strerror(code) in say("doctor", "--dry-run")[1]
    if name != "metrics.json":  # which no query needs while summary.json is of the same run
        assert "run_002" in say("search", "lr > 0")[2]
    with pytest.raises(TrackingError, match=os.strerror(code)):
        ExperimentTracker(base).get_run("run_002")


@pytest.mark.parametrize("kind", [to_link, to_loop], ids=lambda kind: kind.__name__)
def test_a_run_folder_that_is_a_link_is_named_and_not_followed(
    three: Path, base: Path, say: Say, tmp_path: Path, kind: Callable[..., None]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(three, other)
    before = {path.name: path.read_bytes() for path in other.iterdir() if path.is_file()}
    replace(three, kind, other)
    target = tmp_path / "target"
    (target / "runs").mkdir(parents=True)
    assert ask_all(base, say, target) == ["run_001", "run_003"]
    assert "run_002 is a link" in say("list", "e")[2]
    for command in (
        ("tag", "run_002", "a=b"),
        ("note", "run_002", "text"),
        ("delete", "run_002", "--yes"),
        ("show", "run_002"),
    ):
        code, _, err = say(*command)
        assert (code != 0, "run_002" in err) == (True, True), command
    with pytest.raises(TrackingError, match="is a link"):
        ExperimentTracker(base).log_metrics("run_002", {"a": 1.0})
    assert {path.name: path.read_bytes() for path in other.iterdir() if path.is_file()} == before
    assert {each.place for each in examine(Store(base)).findings} == {"runs/run_002"}


def test_a_second_name_for_a_run_of_the_store_is_passed_over(three: Path, base: Path, say: Say) -> None:
    (base / "runs" / "latest").symlink_to("run_002")
    code, out, err = say("list", "e", "--json")
    assert (code, err) == (0, "")
    assert [run["run_id"] for run in json.loads(out)] == ["run_001", "run_002", "run_003"]
    assert examine(Store(base)).findings == []


@pytest.mark.parametrize("name", ["runs", "trash", "models", ".podium", ".podium/edits", ".podium/incoming"])
def test_a_folder_of_the_store_that_is_a_link_is_named_and_left_alone(
    three: Path, base: Path, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(leftovers, "STALE_S", -60.0)
    home = tmp_path / "home"
    (home / "Documents").mkdir(parents=True)
    (home / "Documents" / "thesis").write_text("a")
    (home / ".any.json.0123456789ab.tmp").write_text("b")
    shutil.copytree(three, home / "run_004")
    before = sorted(str(path) for path in home.rglob("*"))
    place = base / name
    place.parent.mkdir(exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    place.symlink_to(home)
    for command in (
        ("gc", "--yes"),
        ("doctor",),
        ("trash",),
        ("models",),
        ("list", "e"),
        ("tag", "run_001", "a=b"),
        ("delete", "run_001", "--yes"),
        ("restore", "run_004"),
        ("import", str(base), "--store", str(tmp_path / "target")),
    ):
        _, out, err = say(*command)
        assert "Traceback" not in err
        if command[0] == "doctor" and name in ("runs", "trash", "models", ".podium"):
            assert f"{name}: is a link" in out + err
    assert sorted(str(path) for path in home.rglob("*")) == before
    assert (home / "Documents" / "thesis").read_text() == "a"


def test_metadata_json_that_is_no_file_is_put_aside(three: Path, base: Path, say: Say, outside: Path) -> None:
    for kind in KINDS:
        replace(base / "metadata.json", kind, outside)
        replace(base / "metadata.json.damaged", lambda *_: None, outside)
        assert "run_003" in say("list", "e")[1]
        ExperimentTracker(base).open_run("run_001").set_tags({"a": kind.__name__})
        assert json.loads((base / "metadata.json").read_text())[0]["tags"] == {"a": kind.__name__}
    assert outside.read_bytes() == OUTSIDE


def test_steps_and_times_that_are_text_cost_nothing_else(
    three: Path, base: Path, say: Say, tmp_path: Path
) -> None:
    points = [
        {"step": "one", "value": 0.05, "timestamp": "yesterday"},
        {"step": ["a"], "value": 0.06, "timestamp": None},
        {"step": {"b": 1}, "value": 0.07},
        {"step": 2.5, "value": 0.08, "timestamp": 7},
        {"step": True, "value": 0.09, "timestamp": ""},
    ]
    (three / "metrics.json").write_text(json.dumps({"a": points}))
    target = tmp_path / "target"
    (target / "runs").mkdir(parents=True)
    assert ask_all(base, say, target) == ["run_001", "run_002", "run_003"]
    for command in (
        ("show", "run_002"),
        ("tail", "run_002"),
        ("compare", "e"),
        ("diff", "run_001", "run_002"),
        ("plot", "e", "a", "--output", str(tmp_path / "a.svg")),
        ("export", "e", "--histories"),
        ("export", "e", "--histories", "--output", str(tmp_path / "a.parquet")),
    ):
        code, out, err = say(*command)
        assert code == 0, (command, out, err)
    ExperimentTracker(base).log_metrics("run_002", {"a": 1.0}, step=3)
    ExperimentTracker(base).finish_run("run_002")
    run = ExperimentTracker(base).get_run("run_002")
    assert run is not None
    assert len(run["metrics"]["a"]) == 6


def test_an_artifact_that_is_a_link_out_of_the_store_is_not_registered(
    three: Path, base: Path, outside: Path
) -> None:
    artifacts = RunPaths(three).artifacts
    (artifacts / "model_best.pt").symlink_to(outside)
    with pytest.raises((TrackingError, MissingFileError), match=r"model_best\.pt"):
        ModelRegistry(base).register("m", "run_002", objective={"metric": "a", "mode": "max", "value": 0.2})
    (artifacts / "epoch_1.pt").write_bytes(b"weights")
    (artifacts / "model_best.pt").unlink()
    (artifacts / "model_best.pt").symlink_to("epoch_1.pt")
    version = ModelRegistry(base).register(
        "m", "run_002", objective={"metric": "a", "mode": "max", "value": 0.2}
    )
    assert (version.path / "model_best.pt").read_bytes() == b"weights"


def test_a_run_that_cannot_be_removed_costs_no_other_run_its_removal(
    three: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in ("run_001", "run_002"):
        ExperimentTracker(base).delete_run(run_id)
    real = folders.remove_tree

    def refuse(folder: Path) -> None:
        if "run_001" in folder.name:
            raise StoreUnwritableError(f"cannot write {folder}: Operation not permitted")
        real(folder)

    monkeypatch.setattr(folders, "remove_tree", refuse)
    outcome = trash.purge(Store(base), {})
    assert [run.run_id for run in outcome.runs] == ["run_002"]
    assert "Operation not permitted" in outcome.kept["run_001"]


def test_an_import_leaves_out_what_was_deleted_here_and_says_how_to_get_it(
    three: Path, base: Path, tmp_path: Path
) -> None:
    target = Store(tmp_path / "target")
    import_runs(target, Store(base), select(Store(base)))
    ExperimentTracker(target.paths.base).delete_run("run_002")
    outcome = import_runs(target, Store(base), select(Store(base)))
    assert not outcome.copied
    assert "python -m tracking restore run_002" in outcome.left_out["run_002"]
    assert [run["run_id"] for run in ExperimentTracker(target.paths.base).list_runs()] == [
        "run_001",
        "run_003",
    ]


def test_a_lost_history_of_a_model_leaves_its_champion(three: Path, base: Path) -> None:
    for run_id in ("run_001", "run_002", "run_003"):
        (base / "runs" / run_id / "artifacts" / "model_best.pt").write_bytes(run_id.encode())
    registry = ModelRegistry(base)
    for number, value in enumerate((0.1, 0.2), 1):
        objective = {"metric": "a", "mode": "max", "value": value}
        registry.register("m", f"run_{number:03d}", objective=objective)
        registry.promote("m", number, reason="better")
    folder = base / "models" / "m"
    whole = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    for lost in (whole[:0], whole[:1], whole[:2], whole[:3]):
        (folder / "events.jsonl").write_bytes(b"".join(lost))
        if not lost:
            (folder / "events.jsonl").unlink()
        for _ in range(2):
            found = [each for each in examine(Store(base)).findings if each.fault is Fault.LOST]
            assert [each.place for each in found] == ["models/m/events.jsonl"]
        assert json.loads((folder / "aliases.json").read_text()) == {"champion": 2}
        champion = ModelRegistry(base).champion("m")
        assert champion is not None
        assert champion.version == 2
    (folder / "events.jsonl").unlink()
    registry.register("m", "run_003", objective={"metric": "a", "mode": "max", "value": 0.3})
    assert json.loads((folder / "aliases.json").read_text()) == {"champion": 2}
    registry.promote("m", 2, reason="as before")
    assert [each for each in examine(Store(base)).findings if each.fault is Fault.LOST] == []
    registry.promote("m", 3, reason="better")
    assert registry.rollback("m").version == 2
    assert json.loads((folder / "aliases.json").read_text()) == {"champion": 2}
