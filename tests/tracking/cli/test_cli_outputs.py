"""What `--output` names is no part of a store, and is named where it cannot be written."""

import os
from pathlib import Path

import pytest
from command_line import Say

from tracking import ExperimentTracker, ModelRegistry


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def store(tracker: ExperimentTracker, base: Path) -> Path:
    with tracker.start_run("ctr", params={"lr": 0.1}) as run:
        run.log({"auc": 0.5}, 0)
        run.log_text("weights", "model.bin")
    objective = {"metric": "auc", "mode": "max", "value": 0.5}
    ModelRegistry(base).register("ctr", run.run_id, files=["model.bin"], objective=objective)
    (base.parent / "linked").symlink_to(base / "runs")
    return base


COMMANDS = {
    "events": ("export", "ctr", "--to", "tensorboard"),
    "table": ("export", "ctr"),
    "histories": ("export", "ctr", "--histories"),
    "version": ("export", "ctr@1"),
    "plot": ("plot", "ctr", "auc", "run_001"),
}
PLACES = [
    "runs",
    "runs/run_001",
    "runs/x/y",
    "models/ctr",
    "models/new",
    ".podium/x",
    "trash/x",
    "../linked/x",
    "runs/../runs/x",
]

THERE = ["runs", "runs/run_001", "models/ctr"]  # a picture goes into a folder that is there


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (words, place)
        for words in COMMANDS.values()
        for place in PLACES
        if words[0] != "plot" or place in THERE
    ],
)
def test_an_output_among_the_files_of_the_store_is_refused_and_nothing_is_written(
    store: Path, say: Say, words: tuple[str, ...], place: str
) -> None:
    target = f"{store}/{place}"
    if words[0] == "plot":
        target = f"{target}/out.png"
    elif words[-2:] != ("--to", "tensorboard") and "@" not in words[-1]:
        target = f"{target}/out.csv"
    before = contents(store)
    code, out, err = say(*words, "--output", target, "--store", str(store))
    assert (code, out) == (2, "")
    assert f"--output '{target}' is among the store's own files; name a place outside of them" in err
    assert contents(store) == before


def test_the_store_itself_and_its_list_are_no_outputs(store: Path, say: Say) -> None:
    before = contents(store)
    assert "own files" in say(*COMMANDS["events"], "--output", str(store), "--store", str(store))[2]
    listing = f"{store}/metadata.json"
    assert "own files" in say(*COMMANDS["table"], "--output", listing, "--store", str(store))[2]
    assert contents(store) == before
    assert say(*COMMANDS["table"], "--output", f"{store}/runs.csv", "--store", str(store))[0] == 0


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("place", ["/proc/nope", "/sys/nope"])
def test_an_output_that_cannot_be_written_is_named(
    store: Path, say: Say, words: tuple[str, ...], place: str
) -> None:
    if not os.path.isdir(os.path.dirname(place)):  # noqa: PTH112, PTH120
        pytest.skip(f"{place}: only Linux has a folder that nobody, not even root, can write into")
    target = f"{place}.png" if words[0] == "plot" else place
    form = ("--format", "csv") if words in (COMMANDS["table"], COMMANDS["histories"]) else ()
    code, out, err = say(*words, *form, "--output", target, "--store", str(store))
    assert (code, out) == (1, "")
    assert f"--output '{target}' cannot be written: " in err
    assert "choose a store" not in err
    assert err.count("\n") == 1
