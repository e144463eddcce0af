"""What a job warns of is heard once per kind, and only what its log shows too."""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest

from sweeps.executor.overheard import overheard
from sweeps.warned import MOST_KINDS

log = logging.getLogger("tests.overheard")
Heard = list[tuple[str, str]]


@pytest.fixture
def heard() -> Heard:
    return []


def into(heard: Heard) -> Callable[[str, str], None]:
    return lambda how, text: heard.append((how, text))


@pytest.fixture(autouse=True)
def _warnings_are_shown() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda *_arguments, **_named: None  # type: ignore[assignment]
        yield


def test_each_kind_is_heard_once(heard: Heard) -> None:
    with overheard(into(heard)):
        for step in range(3):
            log.warning("step %d is slow", step)
            warnings.warn(f"value {step} is odd", UserWarning, stacklevel=1)
        log.error("no such\nfile")
        log.info("all is well")
    assert heard == [
        ("WARNING", "step 0 is slow"),
        ("UserWarning", "value 0 is odd"),
        ("ERROR", "no such file"),
    ]


def test_a_logger_that_does_not_propagate_and_one_configured_anew_are_heard(heard: Heard) -> None:
    library = logging.getLogger("tests.library")
    library.propagate = False
    with overheard(into(heard)):
        library.warning("from a library")
        library.handlers = [logging.NullHandler()]
        library.warning("configured anew")
    assert [text for _, text in heard] == ["from a library", "configured anew"]


def test_what_is_silenced_is_not_heard(heard: Heard) -> None:
    quiet = logging.getLogger("tests.quiet")
    quiet.setLevel(logging.ERROR)
    filtered = logging.getLogger("tests.filtered")
    filtered.addFilter(lambda _record: False)
    with overheard(into(heard)):
        quiet.warning("below the level")
        filtered.warning("filtered")
        warnings.filterwarnings("ignore", message="not this")
        warnings.warn("not this one", UserWarning, stacklevel=1)
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            warnings.warn("kept by the job itself", UserWarning, stacklevel=1)
    assert heard == []


def test_a_warning_that_is_logged_too_is_heard_once(heard: Heard) -> None:
    logging.captureWarnings(True)
    try:
        with overheard(into(heard)):
            warnings.warn("both ways", UserWarning, stacklevel=1)
    finally:
        logging.captureWarnings(False)
    assert heard == [("UserWarning", "both ways")]


def test_threads_are_heard_and_nothing_after_the_job(heard: Heard) -> None:
    with overheard(into(heard)):
        thread = threading.Thread(target=log.warning, args=("in a thread",))
        thread.start()
        thread.join()
    log.warning("after the job")
    assert [text for _, text in heard] == ["in a thread"]


def test_each_job_of_a_process_warns_for_itself(heard: Heard) -> None:
    def job() -> None:
        warnings.warn("the same place", UserWarning, stacklevel=1)

    for _ in range(2):
        with overheard(into(heard)):
            job()
    assert len(heard) == 2


def test_a_text_that_cannot_be_made_and_a_sweep_that_is_gone_do_no_harm(heard: Heard) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def gone(_how: str, _text: str) -> None:
        raise BrokenPipeError

    with overheard(into(heard)):
        warnings.warn(Odd(), stacklevel=1)  # type: ignore[call-overload]
    with overheard(gone):
        log.warning("nobody listens")
    assert heard == []


def test_texts_and_their_number_are_bounded(heard: Heard) -> None:
    with overheard(into(heard)):
        log.warning("x" * 100_000)
        for name in range(100):
            log.warning("column 'c%d'", name)
    assert len(heard[0][1]) < 600
    assert len(heard) == MOST_KINDS


def test_secrets_are_masked(heard: Heard) -> None:
    with overheard(into(heard)):
        log.warning("cannot reach https://me:hunter2@example.com")
    assert "hunter2" not in heard[0][1]
