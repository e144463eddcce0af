"""A failure as one line: what was raised, and the cause that its message leaves out."""

import logging.config
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.executor.failure_text import LINE, summary


def raised(what: Callable[[], object]) -> Exception:
    try:
        what()
    except Exception as error:  # noqa: BLE001 - the error is what is tested
        return error
    raise AssertionError


def chained(*messages: str) -> Exception:
    first, *others = (ValueError(text) for text in messages)
    error: Exception = first
    for outer in others:
        outer.__cause__ = error
        error = outer
    return error


@pytest.mark.parametrize(
    ("messages", "line"),
    [
        (["deep"], "ValueError: deep"),
        (["deep", "outer"], "ValueError: outer (because of ValueError: deep)"),
        (["deep", "between", "outer"], "ValueError: outer (because of ValueError: deep)"),
        (["deep", "outer: deep"], "ValueError: outer: deep"),
        (["", "outer"], "ValueError: outer (because of ValueError)"),
        (["deep\ner", ""], "ValueError (because of ValueError: deep er)"),
    ],
)
def test_the_first_cause_follows_unless_it_is_named_already(messages: list[str], line: str) -> None:
    assert summary(chained(*messages)) == line


def test_a_log_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    handler = {"class": "logging.FileHandler", "filename": str(tmp_path / "no" / "a.log")}
    error = raised(lambda: logging.config.dictConfig({"version": 1, "handlers": {"file": handler}}))
    assert summary(error).startswith(
        "ValueError: Unable to configure handler 'file' (because of FileNotFound"
    )
    assert str(tmp_path / "no" / "a.log") in summary(error)


def test_causes_that_go_in_a_circle_or_have_no_message_are_bounded() -> None:
    first, second = ValueError("first"), ValueError("y" * 10 * LINE)
    first.__cause__, second.__cause__ = second, first
    assert len(summary(first)) <= LINE + len("...")

    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    first.__cause__ = SilentError()
    assert "SilentError: <no message: its __str__ raised RuntimeError>" in summary(first)
