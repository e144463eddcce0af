"""A node waits for a shared folder that shows late what is new, and says why it cannot read one."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.executor.cluster import sharing
from sweeps.executor.cluster.sharing import why_not_shared


@pytest.mark.parametrize("shows_late", ["folder", "file", "content"])
def test_what_comes_late_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shows_late: str
) -> None:
    path = tmp_path / "sweep" / "proof"
    if shows_late != "folder":
        path.parent.mkdir()
    if shows_late == "content":
        path.touch()

    def show(_seconds: float) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text("abc")

    monkeypatch.setattr(sharing.time, "sleep", show)
    assert why_not_shared(path, "abc") is None


def no_folder(path: Path, _monkeypatch: pytest.MonkeyPatch) -> str:
    return f"it has no folder {path.parent}"


def another_one(path: Path, _monkeypatch: pytest.MonkeyPatch) -> str:
    path.parent.mkdir()
    path.write_text("def")
    return f"its folder {path.parent} is another one"


def stale(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    def fail(self: Path, *_args: object, **_named: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle", str(self))

    for name in ("stat", "read_text"):
        monkeypatch.setattr(Path, name, fail)
    return f"it cannot read its folder {path.parent}: Stale file handle"


@pytest.mark.parametrize("change", [no_folder, another_one, stale])
def test_why_a_folder_is_refused_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path, pytest.MonkeyPatch], str]
) -> None:
    path = tmp_path / "sweep" / "proof"
    monkeypatch.setattr(sharing, "PATIENCE_S", 0.0)
    with monkeypatch.context() as patch:
        why = change(path, patch)
        found = why_not_shared(path, "abc")
    assert found == f"{why}; the store must lie in a folder that all machines share, at the same path"
