"""The words KEY=VALUE of a command line, as of the training, without Hydra: a prediction should not wait for it."""

import csv
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO

from tracking import TrackingError
from tracking.extras import missing
from trainer.errors import TrainerError, did_you_mean

ASKED_TO_COMPLETE = "--complete"  # the first word when a shell asks for completions
STORE = ("store", "paths.experiments")  # two names of one key; the second is that of the training


class UsageError(TrainerError):
    """Words that the command does not take."""


def called(module: str, group: str) -> str:
    """Return a command as the user calls it: `podium GROUP` sets a variable, for all commands of the trainer."""
    return f"podium {group}" if "PODIUM_TRAINER_COMMAND" in os.environ else f"python -m {module}"


def parsed(words: Sequence[str], keys: Mapping[str, str], needed: Sequence[str]) -> dict[str, str]:
    """Return the value of each key that is given; raise UsageError for words that do not fit."""
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = STORE[0] if key in STORE and STORE[0] in keys else key
        if not equals:
            hint = did_you_mean(word, keys, "{}=...".format) or ""
            raise UsageError(f"{word!r} is not KEY=VALUE{hint}; the keys are {', '.join(keys)}")
        if key not in keys:
            raise UsageError(f"unknown key {key!r}{did_you_mean(key, keys)}; the keys are {', '.join(keys)}")
        if key in given:
            raise UsageError(f"{key}= is given twice: {given[key]!r} and {value!r}")
        given[key] = value
    absent = [f"{key}=..." for key in needed if not given.get(key)]
    if absent:
        raise UsageError(f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} needed")
    return given


def listed(value: str) -> list[str]:
    """Return the parts of `[a,b]` or `a,b`; one that holds a comma stands in double quotes."""
    inner = value.strip()
    inner = inner[1:-1] if inner[:1] == "[" and inner[-1:] == "]" else inner
    return [each.strip() for each in next(csv.reader([inner], skipinitialspace=True), [])]


def number(key: str, value: str, *, wanted: str, low: float, high: float) -> float:
    """Return a value as a number within limits; raise UsageError otherwise."""
    try:
        found = float(value)
    except ValueError:
        found = float("nan")
    if not low <= found <= high:
        raise UsageError(f"{key}={value}: allowed is {wanted}")
    return found


def run(
    words: Sequence[str],
    *,
    help_text: str,
    keys: Mapping[str, str],
    command: Callable[[Sequence[str]], None],
) -> int:
    """Run a command of words; return its exit code: 0, 1 after an error, 2 for wrong words, 130 after Ctrl-C."""
    if words[:1] == [ASKED_TO_COMPLETE]:
        last = words[-1] if len(words) > 1 else ""
        sys.stdout.write("".join(f"{key}=\n" for key in keys if f"{key}=".startswith(last)))
        return 0
    if not words or {"-h", "--help"} & {*words}:
        sys.stdout.write(help_text)
        return 0
    if (message := missing("trainer")) is not None:
        return _failed(message, 1)
    try:
        with _stopped_in_order():
            command(words)
        sys.stdout.flush()
    except UsageError as error:
        return _failed(f"{error}; --help explains them", 2)
    except BrokenPipeError:  # the reader of the output, such as head, has closed it
        _let_go(sys.stdout)
        return 1
    except (TrainerError, TrackingError, OSError) as error:
        return _failed(str(error).strip(), 1)
    except KeyboardInterrupt:
        return _failed("interrupted; nothing was written", 130)  # as shells report Ctrl-C
    return 0


@contextmanager
def _stopped_in_order() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a closed terminal, remove what is half written before they end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return

    def stop(number: int, _frame: object) -> None:
        sys.exit(128 + number)  # as shells report it

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _failed(message: str, code: int) -> int:
    try:
        sys.stderr.write(f"error: {message}\n")
        sys.stderr.flush()
    except OSError:  # a terminal that was closed
        _let_go(sys.stderr)
    return code


def _let_go(stream: TextIO) -> None:
    """Discard what a stream holds, whose reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
