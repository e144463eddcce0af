"""Files, folders, figures and plain data become artifacts, whole and with their modes."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracking import (
    ExperimentTracker,
    InvalidNameError,
    InvalidValueError,
    MissingFileError,
    ModelRegistry,
    Run,
)


@pytest.fixture
def run(tracker: ExperimentTracker) -> Run:
    return tracker.open_run(tracker.create_run("x"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model as Hugging Face's cache keeps it: links to files elsewhere."""
    folder = tmp_path / "model"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer" / "vocab.txt").write_text("a\nb\n")
    (folder / "serve.sh").write_text("#!/bin/sh\n")
    (folder / "serve.sh").chmod(0o755)
    (folder / "empty").mkdir()
    (tmp_path / "blob").write_bytes(b"weights")
    (folder / "model.safetensors").symlink_to("../blob")
    return folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
@pytest.mark.parametrize("before", [0o600, 0o640, 0o644, 0o755, 0o700, 0o400, 0o444, 0o666, 0o777])
def test_a_copy_has_the_mode_of_its_origin_and_never_more_than_the_umask_allows(
    run: Run, tmp_path: Path, before: int, umask: int
) -> None:
    source = tmp_path / "file"
    source.write_text("x")
    source.chmod(before)
    old = os.umask(umask)
    try:
        copy = run.log_artifact(source)
    finally:
        os.umask(old)
    assert mode(copy) == before & ~umask
    assert copy.read_text() == "x"


def test_a_folder_is_copied_with_all_its_files_and_is_a_version_of_a_model(
    tracker: ExperimentTracker, run: Run, model: Path
) -> None:
    (model / "tokenizer").chmod(0o700)
    copy = run.log_artifact(f"{model}/")
    assert copy == run.artifacts_dir / "model"
    assert files(copy) == files(model)
    assert not (copy / "model.safetensors").is_symlink()
    assert (mode(copy / "serve.sh"), mode(copy / "tokenizer")) == (0o755, 0o700)
    run.log({"auc": 0.5})
    run.finish()
    version = ModelRegistry(tracker.base_dir).register(
        "m", run.run_id, files=["model"], objective={"metric": "auc", "mode": "max", "value": 0.5}
    )
    assert sorted(version.files) == [
        "model/config.json", "model/model.safetensors", "model/serve.sh", "model/tokenizer/vocab.txt"
    ]  # fmt: skip
    assert (version.path / "model/model.safetensors").read_bytes() == b"weights"


def test_a_folder_that_is_logged_again_replaces_the_one_before(run: Run, model: Path) -> None:
    run.log_artifact(model, "best/model")
    (model / "config.json").unlink()
    (model / "new.json").write_text("[]")
    copy = run.log_artifact(model, "best/model")
    assert files(copy) == files(model)
    assert files(run.artifacts_dir / "best") == ["model", *(f"model/{each}" for each in files(model))]


@pytest.mark.parametrize("fault", ["loop", "store"])
def test_a_folder_without_an_end_is_refused_and_nothing_is_left(
    tracker: ExperimentTracker, run: Run, model: Path, fault: str
) -> None:
    (model / "tokenizer" / "up").symlink_to("..")
    with pytest.raises(InvalidValueError, match="link to itself" if fault == "loop" else "holds the store"):
        run.log_artifact(model if fault == "loop" else tracker.base_dir.parent, "again")
    assert files(run.artifacts_dir) == []


def test_what_is_no_file_in_a_folder_is_left_out_and_named(
    run: Run, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(model / "pipe")
    (model / "gone").symlink_to("nowhere")
    copy = run.log_artifact(model)
    assert {"pipe", "gone"}.isdisjoint(files(copy))
    assert "pipe is no file" in caplog.text
    assert "gone is no file" in caplog.text
    with pytest.raises(MissingFileError, match="not a file or folder"):
        run.log_artifact(model / "pipe")


def test_an_artifact_never_changes_from_a_file_to_a_folder(run: Run, model: Path) -> None:
    run.log_artifact(model / "config.json", "a")
    run.log_artifact(model, "b")
    for source, name in ((model, "a"), (model / "config.json", "b")):
        with pytest.raises(InvalidNameError, match=r"log a .* under another name"):
            run.log_artifact(source, name)


def test_figures_texts_and_dicts_are_artifacts(run: Run) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    assert run.log_figure(figure, "plots/roc.png").read_bytes().startswith(b"\x89PNG")
    assert run.log_artifact(figure, "roc.svg").read_text().startswith("<?xml")
    assert run.log_figure(figure.axes[0], "roc.pdf").read_bytes().startswith(b"%PDF")
    assert run.log_text("é\n", "notes/a.md").read_text() == "é\n"
    values = {"a": [1, None, "é"], "b": {"c": 0.5}}
    assert json.loads(run.log_dict(values, "a.json").read_text()) == values
    assert yaml.safe_load(run.log_artifact(values, "a.yaml").read_text()) == values
    assert json.loads(run.log_artifact([1, 2], "list.json").read_text()) == [1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.log_artifact({"a": 1}), "needs a name"),
        (lambda run: run.log_artifact("some text\nno path" * 50), "use log_text"),
        (lambda run: run.log_artifact(b"bytes", "x"), "no path"),
        (lambda run: run.log_text({"a": 1}, "x"), "no text"),
        (lambda run: run.log_dict("text", "x"), "no dict or list"),
        (lambda run: run.log_dict({"a": object}, "../x"), "artifact name"),
        (lambda run: run.log_figure("figure", "x.png"), "no figure"),
    ],
)
def test_what_is_no_artifact_is_refused_with_what_to_do(run: Run, call: Any, message: str) -> None:
    with pytest.raises((InvalidValueError, InvalidNameError, MissingFileError), match=message):
        call(run)
    assert files(run.artifacts_dir) == []


def test_a_figure_in_an_unknown_format_is_refused(run: Run) -> None:
    from matplotlib.figure import Figure

    with pytest.raises(InvalidValueError, match=r"cannot be written as 'roc\.docx'.*docx"):
        run.log_figure(Figure(), "roc.docx")


def test_names_of_artifacts_are_composed_and_found_in_both_forms(
    tracker: ExperimentTracker, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "re\u0301sume\u0301.txt").write_text("x")
    copy = run.log_artifact(tmp_path / "re\u0301sume\u0301.txt")
    assert copy.name == "r\u00e9sum\u00e9.txt"
    run.finish()
    objective = {"metric": "a", "mode": "max", "value": 1.0}
    version = ModelRegistry(tracker.base_dir).register(
        "m", run.run_id, files=["re\u0301sume\u0301.txt"], objective=objective
    )
    assert len(version.files) == 1


def test_several_threads_may_log_one_folder(run: Run, model: Path) -> None:
    faults: list[BaseException] = []

    def log(number: int) -> None:
        try:
            run.log_artifact(model, f"part_{number}/model")
        except BaseException as error:  # noqa: BLE001 - shown below
            faults.append(error)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(list(run.artifacts_dir.glob("part_*/model/config.json"))) == 4
