"""Epochs in one process and one thread: of the script that anybody would write, of one model, of a stack of models.

    python -m benchmarks.measures.epochs SIZE ROUNDS

prints the milliseconds of each round, per model, as the last line. The ways take turns within a round.
"""

import json
import sys
import time
from collections.abc import Callable
from itertools import repeat

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.app.ordinary import Net, Rows, train_epoch
from benchmarks.driving import MARK
from benchmarks.measures.shapes import ALONE, EVALUATE, LOOP, SHAPES, STACK, Shape, drawn
from benchmarks.plan import Size
from trainer.data.tensors import Dataset, Splits, encode
from trainer.models.mlp import TabularClassifier
from trainer.models.network import use_dropout_stream
from trainer.scoring import evaluate
from trainer.seeding import Ambient, generator
from trainer.training.epoch import Steps
from trainer.training.fused import Epochs, train_each
from trainer.training.optim import build_optimizer

BATCH, MODELS = 128, 16
EVALUATED = 20_000
ADAM = {"_target_": "torch.optim.Adam"}


def main(size: str, rounds: str) -> None:
    """Measure both shapes and an evaluation, and print the answer."""
    torch.set_num_threads(1)
    answer: dict[str, list[float]] = {}
    for shape in SHAPES:
        rows = 300 if size == Size.TINY else shape.rows
        ways = {
            LOOP: _ordinary(shape, rows),
            ALONE: _fused(shape, rows, 1),
            STACK: _fused(shape, rows, MODELS),
        }
        for epoch in ways.values():
            epoch()  # the first one makes buffers
        for way in [*ways] * int(rounds):
            began = time.perf_counter()
            ways[way]()
            spent = (time.perf_counter() - began) * 1e3 / (MODELS if way == STACK else 1)
            answer.setdefault(f"{shape.title}, {way}", []).append(spent)
    answer[EVALUATE] = _evaluated(SHAPES[1], int(rounds))
    print(MARK + json.dumps(answer), flush=True)


def _ordinary(shape: Shape, rows: int) -> Callable[[], object]:
    model = Net(shape.numbers, [*shape.cardinalities], [*shape.hidden], 0.3)
    loader = DataLoader(Rows(*drawn(shape, rows)), BATCH, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return lambda: train_epoch(model, loader, optimizer)


def _data(shape: Shape, rows: int, val: int) -> Dataset:
    numeric, codes, target = drawn(shape, rows + 2 * val)
    columns = {f"n{place}": each for place, each in enumerate(numeric.T)}
    columns |= {f"c{place}": each.astype(str).astype(object) for place, each in enumerate(codes.T)}
    names = [name for name in columns if name.startswith("c")]
    parts = np.split(np.arange(rows + 2 * val), [rows, rows + val])
    cut = Splits.cut({**columns, "y": target}, parts, target="y", categorical=names)
    return encode(cut, transform="standard", min_frequency=1)


def _fused(shape: Shape, rows: int, count: int) -> Callable[[], object]:
    """Return an epoch of so many models, of one seed and of as many learning rates and shares of dropout."""
    data = _data(shape, rows, 100)
    models = []
    for place in range(count):
        model = TabularClassifier(
            data.shape.numeric,
            shape.hidden,
            0.1 + 0.4 * place / count,
            cardinalities=data.shape.cardinalities,
            generator=generator(0, "init"),
        )
        use_dropout_stream(model, generator(0, "dropout"))
        optimizer = build_optimizer(ADAM, model, learning_rate=1e-3 * 1.1**place, weight_decay=0.0)
        steps = Steps.of(model, data, optimizer, batch_size=BATCH)
        models.append(Epochs(steps, data.train, Ambient(0, "foreign")))
    order = generator(0, "order")

    def epoch() -> None:
        drawn_order = torch.randperm(rows, generator=order)
        train_each([each.asked(drawn_order) for each in models])

    return epoch


def _evaluated(shape: Shape, rounds: int) -> list[float]:
    data = _data(shape, 1_000, EVALUATED)
    model = TabularClassifier(data.shape.numeric, shape.hidden, cardinalities=data.shape.cardinalities)
    spent = []
    for _ in repeat(None, rounds):
        began = time.perf_counter()
        evaluate(model, data.val, data=data)
        spent.append((time.perf_counter() - began) * 1e3)
    return spent


if __name__ == "__main__":
    main(*sys.argv[1:])
