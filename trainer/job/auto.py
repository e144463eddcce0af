"""What `auto` stands for in the training section: numbers that suit the rows there are.

A small table gets small batches and many epochs, so that its model takes about as many steps as that of a large one, and
averaged weights, whose scores jump less from epoch to epoch. Given values are taken as given. Pure functions of numbers; this module must not know data, models or files.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainer.schema import AUTO

BATCHES = 32  # of an epoch, where the sizes of a batch allow it
SMALLEST, LARGEST = 32, 256  # rows of a batch
STEPS = 2000  # of a training
EPOCHS = (15, 500)  # the fewest and the most
PATIENCE = (4, 5)  # a share of the epochs, the fewest epochs
AVERAGED_BELOW, DECAY = 5000, 0.98  # rows; of the average, whose memory is 1 / (1 - DECAY) steps
TRIAL = 3  # epochs that nobody asks for to get a good model
GAIN = 1e-3  # of a metric's value; less is no reason to train on
FEW_STEPS = 200  # a model may not have left its initial weights after so many


def chosen(training: Mapping[str, Any], rows: int) -> dict[str, int | float | None]:
    """Return the value for each key of a training section that is `auto`, for so many training rows."""
    batch_size = training["batch_size"]
    if batch_size == AUTO:
        batch_size = min(LARGEST, max(SMALLEST, 2 ** round(math.log2(max(1, rows) / BATCHES))))
    steps, epochs = steps_of(training, rows, batch_size), training["epochs"]
    if epochs == AUTO:
        epochs = min(EPOCHS[1], max(EPOCHS[0], math.ceil(STEPS / steps)))
    share, fewest = PATIENCE
    found = {
        "batch_size": batch_size,
        "epochs": epochs,
        "early_stopping_patience": min(epochs, max(fewest, math.ceil(epochs / share))),
        "ema": DECAY if rows < AVERAGED_BELOW and epochs * steps >= STEPS / 2 else None,
    }
    return {key: value for key, value in found.items() if training.get(key) == AUTO}


def steps_of(training: Mapping[str, Any], rows: int, batch_size: int) -> int:
    """Return the number of batches of an epoch, about."""
    limit = training.get("limit_batches")
    count = max(1, math.ceil(rows / batch_size))
    return count if limit is None else min(count, limit)


def said(numbers: Mapping[str, int | float | None], rows: int) -> str:
    """Return the line that tells what was chosen."""
    shown = [f"{key}={value}" for key, value in numbers.items() if value is not None]
    return f"{rows} training rows: {', '.join(shown)}"


def doubts(objective: str, values: Sequence[float], *, mode: str, planned: int, steps: int) -> Iterator[str]:
    """Yield a warning for each sign that a training was too short.

    The objective had these values, one per epoch, where `planned` epochs were asked for; `steps` is their number in all.
    """
    if planned <= TRIAL:
        return
    if steps < FEW_STEPS:
        yield (
            f"the model took {steps} steps in all, which may leave it near its initial weights: "
            f"a smaller training.batch_size or more training.epochs gives it more"
        )
    elif len(values) == planned and _is_improving(values, mode):
        yield (
            f"{objective} was still improving in the last of {planned} epochs: training.epochs={2 * planned} may "
            "give a better model"
        )


def _is_improving(values: Sequence[float], mode: str) -> bool:
    """Whether the last epoch is the best one, and better by more than GAIN than all before the last tenth."""
    best = max if mode == "max" else min
    *before, last = [each for each in values if math.isfinite(each)] or [0.0]
    early = before[: len(before) + 1 - max(1, len(values) // 10)]
    if not early or best(before) == best(*before, last):
        return False
    return abs(last - best(early)) > GAIN * abs(last)
