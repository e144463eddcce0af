"""What the page of a run says of a failure, of code that was not kept, and of values and files that are odd."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from filled_stores import picture, run_id, write_run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "experiments"


def test_a_failure_is_headed_by_the_error_and_not_by_its_last_line(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    folder = write_run(store, 1, status="failed", error="ValueError: the shapes differ")
    traceback = "Traceback (most recent call last):\n  line 1\nValueError: the shapes differ\nline two\n"
    (folder / "error.txt").write_text(traceback)
    page = visit(serve(store)).open(f"run/{run_id(1)}")
    assert page.find(".failure h2").inner_text() == "ValueError: the shapes differ"
    assert "line two" in page.find(".failure pre").inner_text()


def code_of(page: Any) -> str:
    """Return the text of the section of the code."""
    return str(page.find("section").filter(has=page.find("h2", has_text="Code")).last.inner_text())


def test_code_of_no_repository_has_neither_commit_nor_branch(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    why = "the working folder is in no git repository"
    facts = {"commit": None, "branch": None, "dirty": False, "root": None, "why_not": [why]}
    (write_run(store, 1) / "git.json").write_bytes(
        orjson.dumps({"format": 1, **facts, "reproducible": False})
    )
    page = visit(serve(store)).open(f"run/{run_id(1)}")
    said = code_of(page)
    assert why in said
    assert not any(word in said for word in ("commit", "branch", "changes"))


def test_code_that_is_not_all_kept_is_not_called_the_commit(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    facts = {"commit": "a" * 40, "branch": "main", "dirty": False, "root": "/code", "why_not": ["typed in"]}
    (write_run(store, 1) / "git.json").write_bytes(
        orjson.dumps({"format": 1, **facts, "reproducible": False})
    )
    page = visit(serve(store)).open(f"run/{run_id(1)}")
    assert "typed in" in code_of(page)
    assert "the code is the commit" not in code_of(page)


@pytest.mark.parametrize("width", [1280, 375])
def test_a_long_name_leaves_the_values_of_parameters_in_sight(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any], width: int
) -> None:
    long = "long" * 60
    params = {long: "v" * 3000, "lr": 0.001}
    write_run(store, 1, params=params, metrics={long: [1.0, 2.0]})
    write_run(store, 2, params=params | {"lr": 0.01}, metrics={long: [1.0, 2.0]})
    page = visit(serve(store), viewport={"width": width, "height": 800}).open(f"run/{run_id(1)}")
    table = page.find("[aria-label='Table of parameters']")
    box, cell = table.bounding_box(), table.get_by_text("0.001", exact=True).bounding_box()
    assert box["x"] < cell["x"] < box["x"] + box["width"] * 0.8
    assert table.locator("th").first.get_attribute("title") == long
    page.open(f"compare?run={run_id(1)}&run={run_id(2)}&same=1")
    table = page.find(".side-by-side")
    box, cell = table.bounding_box(), table.get_by_text("0.001", exact=True).bounding_box()
    assert box["x"] < cell["x"] < box["x"] + box["width"]


def test_a_damaged_picture_is_called_so(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    artifacts = write_run(store, 1) / "artifacts"
    artifacts.mkdir()
    (artifacts / "cut.png").write_bytes(picture()[:40])
    (artifacts / "text.png").write_text("no picture")
    page = visit(serve(store)).open(f"run/{run_id(1)}")
    pictures = page.find(".picture")
    pictures.first.scroll_into_view_if_needed()
    pictures.filter(has_text="not a picture that can be shown").wait_for()
    assert pictures.count() == 1


def test_of_very_many_files_the_first_are_listed_and_more_when_one_asks(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    many = write_run(store, 1) / "artifacts" / "predictions"
    many.mkdir(parents=True)
    for number in range(1100):
        (many / f"{number:04}.txt").write_text("x")
    (many.parent / "z.txt").write_text("x")
    page = visit(serve(store)).open(f"run/{run_id(1)}")
    files = page.find("[role=region][aria-label='Table of files']")
    files.get_by_text("artifacts/predictions/0099.txt").wait_for()
    assert files.get_by_text("artifacts/z.txt").count() == 1
    assert files.get_by_text("artifacts/predictions/0100.txt").count() == 0
    rest = page.find("p").filter(has_text="in artifacts/predictions")
    assert "1,000 more files" in rest.inner_text().replace("\u202f", ",")
    rest.locator("button").click()
    files.get_by_text("artifacts/predictions/0599.txt").wait_for()
    page.find("p").filter(has_text="500 more files").locator("button").click()
    files.get_by_text("artifacts/predictions/1099.txt").wait_for()
    assert page.find("p").filter(has_text="in artifacts/predictions").count() == 0
