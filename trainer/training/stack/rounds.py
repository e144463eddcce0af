"""The batches of an epoch: buffers and blocks for each size of batch, made once and used again in later epochs."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from math import prod
from typing import Protocol

import torch

from trainer.data.tensors import Split
from trainer.training.epoch import batches
from trainer.training.stack.block import Block, Member
from trainer.training.stack.feeding import Feed, Sources
from trainer.training.stack.lowered import Graph
from trainer.training.stack.masks import Layers, Masks, Stream, dropout_layers, settle, streams_of
from trainer.training.stack.slots import Pool

LARGEST = 8  # models whose values are computed side by side
ROOM = 1 << 20  # numbers between the layers of all models of a block: what the caches of a core hold


class Ordered(Protocol):
    """A turn of a model."""

    @property
    def order(self) -> torch.Tensor:
        """The numbers of its rows."""

    @property
    def each_batch(self) -> Callable[[int], None] | None:
        """Who is told the rows of each batch."""


class Round:
    """What all batches of one size need: feeds of each order, masks, and blocks of models."""

    def __init__(
        self,
        graph: Graph,
        sources: Mapping[int, Sources],
        members: Sequence[Member],
        *,
        feeds: Sequence[int],
        layers: Sequence[Layers],
        streams: Sequence[Stream],
        rows: int,
    ) -> None:
        self.feeds = {each: Feed(sources[each], rows) for each in set(feeds)}
        dtype = sources[0].dtype
        self.masks = Masks(graph, layers, streams, rows, dtype)
        pool = Pool(dtype)
        self.blocks = [
            Block(
                graph,
                [members[k] for k in part],
                [self.feeds[feeds[k]] for k in part],
                self.masks,
                part,
                rows=rows,
                pool=pool,
            )
            for part in _parts(
                [k for k, each in enumerate(members) if not each.has_left], feeds, _size(graph, rows)
            )
        ]

    def step(self, orders: Mapping[int, torch.Tensor], start: int, end: int) -> bool:
        """Take a step on a part of each order; return whether a model left."""
        for each, feed in self.feeds.items():
            feed.load(orders[each], start, end)
        self.masks.draw()
        left = [block.step() for block in self.blocks]
        return any(left)


def _size(graph: Graph, rows: int) -> int:
    """Return how many models to compute side by side."""
    numbers = 2 * rows * sum(prod(each.shape) for each in graph.nodes)
    return max(1, min(LARGEST, ROOM // numbers))


def _parts(places: Sequence[int], feeds: Sequence[int], size: int) -> list[list[int]]:
    """Cut models into blocks of about equal size, those of one order together."""
    ordered = sorted(places, key=lambda k: feeds[k])
    count = -(-len(ordered) // size)
    return [ordered[len(ordered) * i // count : len(ordered) * (i + 1) // count] for i in range(count)]


class Group:
    """Models that take equally many rows."""

    def __init__(self, graph: Graph, rows: Split, sources: Sources) -> None:
        self._graph, self._rows, self._sources = graph, rows, {0: sources}
        self._pattern: Hashable = None
        self._rounds: dict[int, Round] = {}

    def epoch(self, members: Sequence[Member], turns: Sequence[Ordered]) -> None:
        """Train all members once, each on the rows of its turn."""
        batch_size, length = members[0].steps.batch_size, len(turns[0].order)
        count = batches(length, batch_size)
        for each in members:
            each.begin(count)
        feeds, orders = _same(turns)
        self._begin_sources(len(orders))
        layers = [dropout_layers(self._graph, each.steps.network.module) for each in members]
        streams = streams_of(layers)
        pattern = (tuple(feeds), tuple((each.models, each.draws, id(each.generator)) for each in streams))
        if pattern != self._pattern:
            self._pattern, self._rounds = pattern, {}
        for index in range(count):
            start = index * batch_size
            end = start + batch_size if index < count - 1 else length
            rows = end - start
            if rows not in self._rounds:
                self._rounds[rows] = Round(
                    self._graph,
                    self._sources,
                    members,
                    feeds=feeds,
                    layers=layers,
                    streams=streams,
                    rows=rows,
                )
            going = [k for k, each in enumerate(members) if not each.has_left]
            has_left = self._rounds[rows].step(orders, start, end)
            if has_left:
                self._count()
                self._rounds, self._pattern = {}, None
                settle(streams, layers, [k for k in going if members[k].has_left])
                streams = [each for each in (_without(each, members, layers) for each in streams) if each]
            for k in going:
                told = turns[k].each_batch
                if not members[k].has_left and told is not None:
                    told(rows)
            if index == 0:
                for k in going:
                    if not members[k].has_left:
                        members[k].home.show_gradients()
            if all(each.has_left for each in members):
                break
        self._count()
        settle(streams, layers)

    def _begin_sources(self, count: int) -> None:
        """Have sources for so many orders, and begin an epoch of each."""
        first = self._sources[0]
        for number in range(count):
            if number not in self._sources:
                self._sources[number] = first if first.is_shared else Sources(self._rows, self._graph)
            self._sources[number].begin()

    def _count(self) -> None:
        for each in self._rounds.values():
            for block in each.blocks:
                block.count()


def _without(stream: Stream, members: Sequence[Member], layers: Sequence[Layers]) -> Stream | None:
    """Return a stream for the models that have not left."""
    left = tuple(k for k in stream.models if not members[k].has_left)
    if not left:
        return None
    own = next(each.generator for each in layers[left[0]].values() if each.generator is not None)
    own.set_state(stream.generator.get_state())
    return Stream(own, stream.draws, left)


def _same(turns: Sequence[Ordered]) -> tuple[list[int], dict[int, torch.Tensor]]:
    """Return the number of each turn's order, and the orders by their numbers."""
    orders: dict[int, torch.Tensor] = {}
    numbers = []
    for turn in turns:
        known = next(
            (n for n, each in orders.items() if each is turn.order or torch.equal(each, turn.order)), None
        )
        if known is None:
            known = len(orders)
            orders[known] = turn.order
        numbers.append(known)
    return numbers, orders
