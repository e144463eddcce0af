"""The Python in docs/tracking.md runs, and the page names every command and public name it should."""

import re
from pathlib import Path

import pytest

from tracking.cli.app import COMMANDS
from tracking.files import read_json

PAGE = Path(__file__).parents[2] / "docs" / "tracking.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_snippets_of_the_page_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for snippet in SNIPPETS:
        exec(compile(snippet, "tracking.md", "exec"), {})
    assert len(read_json(tmp_path / "experiments" / "metadata.json")) >= 5


def test_the_page_names_every_command_and_method() -> None:
    text = PAGE.read_text()
    assert all(f"`{name}" in text for name in COMMANDS)
    for name in (
        "open_run",
        "record",
        "records",
        "active_run",
        "job_context",
        "log_artifact",
        "set_tags",
        "should_stop",
    ):
        assert name in text
