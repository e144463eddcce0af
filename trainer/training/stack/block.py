"""A step of some models of a stack, and what of it differs from model to model."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch.optim.lr_scheduler import LRScheduler

from trainer.data.target import TaskKind
from trainer.training.epoch import Average, Steps
from trainer.training.stack.criteria import Criterion, Goal
from trainer.training.stack.epoch_start import EpochStart
from trainer.training.stack.feeding import Feed
from trainer.training.stack.flat_storage import Home
from trainer.training.stack.fused_steps import Stepper
from trainer.training.stack.lowered import Graph
from trainer.training.stack.masks import Masks
from trainer.training.stack.program import Program, run
from trainer.training.stack.slots import Pool
from trainer.watching.divergence import NotFiniteError


@dataclass(eq=False)
class Member:
    """A model of a stack, and what it has reached in the present epoch."""

    steps: Steps
    home: Home
    stepper: Stepper
    goal: Goal
    averaged: Home | None  # the average of the model, if it has one
    loss_sum: float = 0.0
    right: float = 0.0
    seen: int = 0
    has_left: bool = False
    per_batch: LRScheduler | None = field(init=False)
    start: EpochStart = field(init=False)

    def __post_init__(self) -> None:
        self.start = EpochStart(self.steps, self.home, self.stepper, self.averaged)
        self.per_batch = self.steps.scheduler if self.steps.options.interval == "batch" else None

    @classmethod
    def of(cls, steps: Steps) -> "Member":
        """Move a model into memory of the stack."""
        parameters = [each for group in steps.optimizer.param_groups for each in group["params"]]
        home = Home(steps.network.module, parameters)
        stepper, goal = Stepper(steps.optimizer, home), Goal.of(steps.options.loss)
        return cls(
            steps, home, stepper, goal, None if steps.average is None else _paired(steps.average, home)
        )

    def begin(self, batches: int) -> None:
        """Begin an epoch."""
        self.steps.network.module.train()
        self.loss_sum, self.right, self.seen, self.has_left = 0.0, 0.0, 0, False
        self.steps.losses.begin(batches, torch.device("cpu"))
        self.stepper.adopt()

    def advance(self) -> None:
        """Step by the present gradients, as `Steps.epoch` does."""
        clip = self.steps.options.clip
        norm = None
        if clip is not None:
            gradients = self.home.gradients.whole
            norm = torch.linalg.vector_norm(gradients)
            gradients.mul_(torch.clamp(clip / (norm + 1e-6), max=1.0))
        self.steps.losses.stepped(norm)
        self.stepper.step()
        if self.per_batch is not None:
            self.per_batch.step()
        if self.steps.average is not None:
            self.steps.average.follow()

    def leave(self) -> None:
        """Give the model and its optimizer memory of their own."""
        self.home.leave()
        self.stepper.leave()
        average = self.steps.average
        if average is not None and self.averaged is not None:
            self.averaged.leave()
            average.pair(average.module.parameters(), self.steps.network.module.parameters())


def _paired(average: Average, home: Home) -> Home:
    """Move the average of a model into one piece of memory, so that it follows the model in one call."""
    averaged = dict(average.module.named_parameters())
    found = Home(average.module, [averaged[name] for name in home.places])
    average.pair([found.values.whole], [home.values.whole])
    return found


class Block:
    """The calls of a step of some models, for batches of one size."""

    def __init__(
        self,
        graph: Graph,
        members: Sequence[Member],
        feeds: Sequence[Feed],
        masks: Masks,
        numbers: Sequence[int],
        *,
        rows: int,
        pool: Pool,
    ) -> None:
        self.members = members
        self._rows = rows
        network, task = members[0].steps.network, members[0].steps.task
        self._program = Program(
            graph,
            [each.steps.network.module for each in members],
            [each.home for each in members],
            rows=rows,
            pool=pool,
            inputs=lambda k, place: feeds[k].buffers[place],
            masks=lambda k, place: masks.of(numbers[k], place),
        )
        goals = [each.goal for each in members]
        logits, gradient = self._program.logits, self._program.gradient
        self._criterion = Criterion(task.kind, goals, feeds, logits, gradient, members=network.members)
        self._has_accuracy = task.kind is not TaskKind.REGRESSION
        self._losses = list(self._criterion.losses)

    def step(self) -> bool:
        """Take a step with all models; return whether one left, because its loss is not finite."""
        run(self._program.forward)
        self._criterion.compute()
        has_left = False
        for loss, member in zip(self._losses, self.members, strict=True):
            try:
                member.steps.losses.see(loss)
            except NotFiniteError:
                member.has_left = has_left = True
        run(self._program.backward)
        for loss, member in zip(self._criterion.losses.tolist(), self.members, strict=True):
            if not member.has_left:
                member.advance()
                member.loss_sum += loss * self._rows
                member.seen += self._rows
        return has_left

    def count(self) -> None:
        """Add what the models got right to what they reached, and begin to count anew."""
        if self._has_accuracy:
            for found, member in zip(self._criterion.hits, self.members, strict=True):
                member.right += float(found.sum())
            self._criterion.hits[:] = 0
