"""Paths as people write them: the home folder, addresses of files; and the files of pictures."""

from pathlib import Path

import pytest
from command_line import Say
from hypothesis import given
from hypothesis import strategies as st

from tracking import ExperimentTracker, InvalidNameError, ModelRegistry
from tracking.paths import StorePaths
from tracking.values.names import check_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home of mine"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


@pytest.mark.parametrize(
    "place",
    ["~/experiments", Path("~/experiments"), "~//experiments", "file://{home}/experiments", "file:{home}/experiments",
     "FILE://localhost{home}/experiments", Path("file:/{home}/experiments")],
    ids=str,
)  # fmt: skip
def test_a_store_may_lie_in_the_home_folder_or_at_an_address(
    home: Path, say: Say, monkeypatch: pytest.MonkeyPatch, place: str | Path
) -> None:
    quoted = str(home).replace(" ", "%20")
    where = type(place)(str(place).replace("{home}", quoted))
    tracker = ExperimentTracker(where)
    run_id = tracker.create_run("x")
    assert (home / "experiments" / "runs" / run_id).is_dir()
    assert tracker.get_run(run_id)["run_dir"] == str(home / "experiments" / "runs" / run_id)  # type: ignore[index]
    assert ModelRegistry(where).models() == []
    assert run_id in say("list", "x", "--store", str(where))[1]
    assert run_id in say("list", "x", f"--store={where}")[1]
    monkeypatch.setenv("PODIUM_STORE", str(where))
    assert run_id in say("list", "x")[1]
    assert list(Path.cwd().iterdir()) == []


def test_an_artifact_may_lie_there_too(home: Path, tracker: ExperimentTracker) -> None:
    (home / "roc.png").write_bytes(b"png")
    run = tracker.open_run(tracker.create_run("x"))
    assert run.log_artifact("~/roc.png").read_bytes() == b"png"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("s3://bucket/experiments", "no path on this machine"),
        ("sqlite:///runs.db", "no path on this machine"),
        ("file://server/share", "no path on this machine"),
        ("~nobody-of-that-name/x", "a user that is not known here.*'./~nobody-of-that-name/x'"),
    ],
)
def test_what_is_no_place_on_this_machine_is_refused(home: Path, say: Say, place: str, message: str) -> None:
    with pytest.raises(InvalidNameError, match=message):
        ExperimentTracker(place)
    code, _, err = say("list", "--store", place)
    assert code == 1
    assert "no path on this machine" in err or "not known here" in err
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("name", ["./~x", "a~", "c:", "a:b", "file", "data: today/x"])
def test_other_names_are_paths_as_they_are(name: str) -> None:
    assert check_path("base_dir", name, example="experiments") == Path(name)


ODD_NAMES = [
    "val/auc",
    "val_auc",
    "val auc",
    "a" * 120 + "1",
    "a" * 120 + "2",
    "\u51c6\u786e\u7387" * 40,
    "\U0001f600" * 60,
]


@given(st.lists(st.sampled_from(ODD_NAMES) | st.text(min_size=1, max_size=300), min_size=2, unique=True))
def test_pictures_of_different_metrics_are_different_files_that_fit(names: list[str]) -> None:
    paths = StorePaths(Path("s"))
    for kind in ("comparison", "parallel"):
        made = [paths.plot(name, kind, "png").name for name in names]
        assert len(set(made)) == len(names)
        for file in made:
            assert len(f".{file}.{'0' * 12}.tmp".encode(errors="surrogatepass")) <= 255
            assert "/" not in file


def test_a_picture_of_a_plain_metric_has_its_plain_name() -> None:
    assert StorePaths(Path("s")).plot("val_auc").name == "metric_comparison_val_auc.png"
    assert StorePaths(Path("s")).plot("精度").name == "metric_comparison_精度.png"
