"""How grouped jobs are divided among processes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sweeps.executor.local.shards import TURNS, Shard, Shards, share
from sweeps.jobs import Job


def jobs(*groups: str | None) -> list[Job]:
    one = Job(0, "key", "hash", (), {}, Path("jobs"), b"")
    return [replace(one, number=number, group=group) for number, group in enumerate(groups)]


def numbers(shard: Shard) -> list[int]:
    return [job.number for job in shard.jobs]


GROUPS = st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=60)


@given(GROUPS, st.integers(1, 5), st.integers(1, 8), st.randoms(use_true_random=False))
def test_every_job_is_in_one_shard_with_none_of_another_group(
    groups: list[str | None], places: int, together: int, chance
) -> None:
    now = 0.0
    shards = Shards(jobs(*groups), places, together, clock=lambda: now)
    seen, running = [], []
    for shard in shards:
        now += chance.random()
        seen.extend(numbers(shard))
        assert len({job.group for job in shard.jobs}) == 1
        assert numbers(shard) == sorted(numbers(shard))
        assert 1 <= shard.at_once <= together
        assert shard.at_once <= len(shard.jobs) <= TURNS * together
        if shard.jobs[0].group is None or together == 1:
            assert len(shard.jobs) == 1
        running.append(shard)
        while running and (len(running) >= places or chance.random() < 0.5):
            shards.ended(running.pop(chance.randrange(len(running))))
    assert sorted(seen) == [*range(len(groups))]


@given(GROUPS, st.integers(1, 5), st.integers(2, 8))
def test_a_job_without_a_group_is_pulled_at_most_one_ahead(
    groups: list[str | None], places: int, together: int
) -> None:
    pulled: list[Job] = []

    def source() -> Iterator[Job]:
        for job in jobs(*groups):
            pulled.append(job)
            yield job

    taken: set[int] = set()
    for shard in Shards(source(), places, together):
        taken.update(numbers(shard))
        ahead = [job for job in pulled if job.number not in taken]
        assert sum(job.group is None for job in ahead) <= 1
        assert len(ahead) <= TURNS * together * places


@given(st.integers(1, 200), st.integers(1, 16))
def test_the_first_processes_take_about_the_same(count: int, places: int) -> None:
    shards = Shards(jobs(*["a"] * count), places, 1000, clock=lambda: 0.0)
    sizes = [len(shard.jobs) for shard in shards]
    assert sum(sizes) == count
    assert len(sizes) <= places
    assert max(sizes) == share(count, places)


def test_groups_whose_jobs_alternate_are_put_together() -> None:
    shards = Shards(jobs(*"abcabcabc"), 2, 16, clock=lambda: 0.0)
    assert [numbers(next(shards)), numbers(next(shards))] == [[0, 3, 6], [1, 4, 7]]


def test_a_last_group_is_divided_if_the_others_are_about_to_end() -> None:
    now = 0.0
    shards = Shards(jobs(*"abcabcabc"), 2, 16, clock=lambda: now)
    first, _second = next(shards), next(shards)
    now = 10.0
    shards.ended(first)
    assert [numbers(each) for each in shards] == [[2, 5], [8]]


def test_without_fusion_each_job_is_by_itself() -> None:
    assert [numbers(shard) for shard in Shards(jobs("a", "a", None), 2, 1)] == [[0], [1], [2]]


def test_closed_shards_pull_nothing() -> None:
    shards = Shards(iter(jobs("a", "a")), 2, 16)
    shards.close()
    assert list(shards) == []


class Search:
    """Jobs of a group that are decided one by one; `ready_for` of them are decided before one is asked for."""

    def __init__(self, count: int, ready_for: int = 0, together: int | None = None) -> None:
        self._left = jobs(*["a"] * count)
        self._ready = ready_for
        self.pulled = 0
        self.together = together
        self.is_closed = False

    def __iter__(self) -> Iterator[Job]:
        return self

    def __next__(self) -> Job:
        if not self._left:
            raise StopIteration
        self.pulled, self._ready = self.pulled + 1, self._ready - 1
        return self._left.pop(0)

    def ready(self) -> bool:
        return self._ready > 0

    def close(self) -> None:
        self.is_closed = True


def test_of_a_search_only_what_is_ready_goes_to_a_process() -> None:
    search = Search(10, ready_for=3)
    shards = Shards(search, places=4, together=8)
    assert numbers(next(shards)) == [0, 1, 2]
    assert search.pulled == 3
    assert [numbers(shard) for shard in shards] == [[number] for number in range(3, 10)]


def test_of_a_search_no_more_than_one_process_takes_at_once_are_pulled() -> None:
    search = Search(20, ready_for=20)
    shards = Shards(search, places=4, together=4)
    for first in (0, 4, 8):
        shard = next(shards)
        assert numbers(shard) == [*range(first, first + 4)]
        assert (shard.at_once, search.pulled) == (4, first + 4)


def test_a_search_says_how_many_of_its_jobs_share_a_process() -> None:
    assert len(next(Shards(Search(9, 9, together=3), places=1, together=8)).jobs) == 3
    assert len(next(Shards(Search(9, 9, together=16), places=1, together=8)).jobs) == 8
    assert len(next(Shards(Search(9, 9, together=1), places=1, together=8)).jobs) == 1


def test_a_search_hears_that_no_more_jobs_are_taken() -> None:
    search = Search(4)
    shards = Shards(search, places=1, together=2)
    shards.close()
    assert search.is_closed
    assert [*shards] == []


def test_a_process_of_a_search_takes_another_job_of_its_group_when_one_is_ready() -> None:
    search = Search(9, ready_for=6)
    shards = Shards(search, places=2, together=2)
    shard = next(shards)
    assert shard.is_open
    assert [job.number for job in filter(None, [shards.another(shard, taken) for taken in (2, 3, 4)])] == [
        2,
        3,
        4,
    ]
    other = next(shards)
    assert numbers(other) == [5]  # and no further one is ready
    assert shards.another(shard, 5) is None
    assert shards.another(shard, 10**6) is None
    assert search.pulled == 6


def test_a_job_of_another_group_waits_for_a_process_of_its_own() -> None:
    search = Search(3, ready_for=3)
    search._left[2] = replace(search._left[2], group="b")
    shards = Shards(search, places=2, together=2)
    shard = next(shards)
    assert shards.another(shard, 2) is None
    assert numbers(next(shards)) == [2]


def test_a_free_place_comes_before_a_process_that_has_room() -> None:
    search = Search(4, ready_for=4)
    shards = Shards(search, places=2, together=2)
    shard = next(shards)
    with shards._asking:  # as a place that waits for a job
        assert shards.another(shard, 2) is None
    assert shards.another(shard, 2) is not None


def test_no_job_joins_those_of_a_sweep_without_a_search() -> None:
    shards = Shards(jobs(*["a"] * 9), places=1, together=2)
    shard = next(shards)
    assert not shard.is_open
    assert shards.another(shard, 2) is None
