"""Optimizers are built, stepped and saved without torch's compiler, and give the same numbers as with it."""

import json
import subprocess
import sys
from typing import Any

import pytest

# In a process of its own, because any other test may have loaded the compiler. The first part runs without it.
SCRIPT = """
import json, sys
import torch
from torch.optim import Optimizer
from trainer.checkpoint import State
from trainer.models.linear_start import LinearStart
from trainer.training.optim import build_optimizer, build_scheduler

KINDS = {"Adam": {}, "AdamW": {}, "SGD": {"momentum": 0.9}, "RMSprop": {}, "NAdam": {}, "Adagrad": {}}
found = {}

def trained(kind, options):
    module = torch.nn.Linear(3, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[0.1, -0.2, 0.3]])), module.bias.zero_()
    spec = {"_target_": f"torch.optim.{kind}", **options}
    optimizer = build_optimizer(spec, module, learning_rate=0.1, weight_decay=0.01)
    scheduler = build_scheduler({"_target_": "torch.optim.lr_scheduler.ExponentialLR", "gamma": 0.9}, optimizer, mode="min")
    hooked = []
    optimizer.register_step_post_hook(lambda *_: hooked.append(1))
    for step in range(4):
        for each in module.parameters():
            each.grad = None
        torch.autograd.backward((module(torch.ones(2, 3) * step) ** 2).sum())
        optimizer.step()
        scheduler.step()
    state = State({"model": module, "optimizer": optimizer, "scheduler": scheduler}, {})
    state.load(state.capture())
    return [module.weight.tolist(), module.bias.tolist(), len(hooked)]

for kind, options in KINDS.items():
    found[kind] = [trained(kind, options)]
start = LinearStart(2, (3,), 1)
class Rows:
    device = torch.device("cpu"); weights = ()
    numeric = torch.arange(8.0).reshape(4, 2); categorical = torch.tensor([[0], [1], [2], [1]]); target = torch.ones(4)
    def __len__(self): return 4
    def take(self, rows): return self
    def to(self, device): return self
start.fit(Rows(), torch.nn.functional.mse_loss)
found["start"] = float(start.bias.abs().sum())
found["compiler"] = "torch._dynamo" in sys.modules
names = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")
found["left"] = [each for each in names if hasattr(getattr(Optimizer, each).__wrapped__, "__dynamo_disable")]
import torch._dynamo
for kind, options in KINDS.items():
    found[kind].append(trained(kind, options))
print(json.dumps(found))
"""
KINDS = ("Adam", "AdamW", "SGD", "RMSprop", "NAdam", "Adagrad")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_a_training_does_not_load_the_compiler(found: dict[str, Any]) -> None:
    assert found["compiler"] is False
    assert found["start"] > 0


def test_the_classes_of_torch_are_left_as_they_were(found: dict[str, Any]) -> None:
    assert found["left"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_and_the_hooks_are_those_of_a_process_with_the_compiler(
    found: dict[str, Any], kind: str
) -> None:
    without, with_it = found[kind]
    assert without == with_it
    assert without[-1] == 4
