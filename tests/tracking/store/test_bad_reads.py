"""Reading a store ends, whatever its files are: of any size, renamed at each look, or no files at all."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_kinds import KINDS, OUTSIDE, to_folder

from tracking import ExperimentTracker, TrackingError
from tracking.doctor import examine
from tracking.files import append, atomic, locks, regular
from tracking.metrics import journal_files
from tracking.process import identity
from tracking.search.catalog import Catalog
from tracking.store.store import Store


def test_a_file_of_any_size_is_read_up_to_a_limit(
    three: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (three / "run.json").open("r+b") as file:
        file.truncate(1 << 40)  # a hole, which costs no disk
    with pytest.raises(TrackingError, match=r"run\.json has 1099511627776 bytes"):
        ExperimentTracker(base).get_run("run_002")
    assert [run["run_id"] for run in ExperimentTracker(base).list_runs()] == ["run_001", "run_003"]
    monkeypatch.setattr(regular, "MAX_LINE_BYTES", 1 << 20)
    monkeypatch.setattr(identity, "life", lambda *_: identity.Life.GONE)
    with (base / "runs" / "run_003" / "metrics.jsonl").open("wb") as file:
        file.truncate(1 << 40)
    assert [run.run_id for run in ExperimentTracker(base).records()] == ["run_001"]
    assert any("has a line of more than" in each.what for each in examine(Store(base)).findings)


def test_inodes_of_a_listing_that_are_not_those_of_the_files_make_nothing_spin(
    tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on mergerfs and unionfs, where a listing gives other numbers, and new ones each time."""
    real, asked = os.scandir, 0

    class Entry:
        def __init__(self, entry: "os.DirEntry[str]") -> None:
            self._entry = entry

        def inode(self) -> int:
            nonlocal asked
            asked += 1
            return -asked

        def __fspath__(self) -> str:
            return self._entry.path

        def __getattr__(self, name: str) -> object:
            return getattr(self._entry, name)

    class Listing:
        def __init__(self, path: object) -> None:
            self._entries = real(path)  # type: ignore[call-overload]  # of any path

        def __enter__(self) -> "Listing":
            return self

        def __exit__(self, *_: object) -> None:
            self._entries.close()

        def __iter__(self) -> object:
            return map(Entry, self._entries)

    monkeypatch.setattr(os, "scandir", Listing)
    run = tracker.open_run(tracker.create_run("e"))
    run.log({"a": 1.0})
    assert tracker.get_run(run.run_id)["metrics"]["a"][0]["value"] == 1.0
    run.finish()
    assert [each.run_id for each in Catalog(Store(base)).records()] == [run.run_id]


def test_journals_that_are_renamed_at_each_look_end_in_an_error(
    tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = tracker.create_run("e")
    tracker.log_metrics(run_id, {"a": 1.0})
    monkeypatch.setattr(
        journal_files, "listing", lambda _: journal_files.Listing(["metrics.0a0a0a0a0a0a.closed.jsonl"], [])
    )
    with pytest.raises(TrackingError, match="gets other journals all the time"):
        tracker.get_run(run_id)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_one_door_opens_nothing_but_files(
    tmp_path: Path, outside: Path, kind: Callable[..., None]
) -> None:
    path = tmp_path / "item"
    kind(path, outside)
    for use in (
        regular.open_file,
        regular.read_bytes,
        atomic.read_json,
        atomic.read_object,
        atomic.sha256,
        atomic.sync,
        append.open_append,
        lambda path: list(append.read_lines(path)),
        lambda path: append.append_line(path, {"a": 1}),
    ):
        with pytest.raises(TrackingError, match=str(path)):
            use(path)
    assert not regular.is_file(path)
    assert regular.exists(path)
    if kind is not to_folder:
        with pytest.raises((TrackingError, OSError)), locks.lock_folder(path):
            pass
    assert outside.read_bytes() == OUTSIDE


def test_a_process_out_of_file_handles_blames_no_file(
    three: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: object, *args: int, **kwargs: object) -> int:
        if str(path).endswith("params.json"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(path, *args, **kwargs)  # type: ignore[call-overload]  # of any path

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        ExperimentTracker(base).records()


def test_rooms_that_read_a_store_open_its_files_by_that_door_alone() -> None:
    package = Path(regular.__file__).parent.parent
    opening = re.compile(
        r"""(?<!regular)(?<!\w)(\.open\((?!handle)|open\((?!handle)|\.read_(bytes|text)\()"""
    )
    rooms = ("store", "metrics", "registry", "doctor", "transfer", "search")
    modules = [path for room in rooms for path in sorted((package / room).rglob("*.py"))]
    found = [
        f"{path.relative_to(package)}: {line.strip()}"
        for path in modules
        for line in path.read_text().splitlines()
        if opening.search(line) and "regular." not in line and "def " not in line
    ]
    # A new file is nobody's yet, and an archive is read from a file that is open.
    found = [line for line in found if '"xb"' not in line and "fileobj=" not in line]
    assert len(modules) > 30
    assert found == []
