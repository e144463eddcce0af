"""The Python in docs/tracking.md runs, and the page names every command and public name it should."""

import re
from pathlib import Path

import pytest

from tracking.cli.app import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "tracking.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_of_the_page_runs(snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "tracking.md", "exec"), {})
    assert (tmp_path / "experiments" / "metadata.json").exists()


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
