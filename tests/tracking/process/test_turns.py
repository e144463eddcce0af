"""What jobs of one process compute together."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from tracking.process import turns
from tracking.process.turns import Raised, hosted, is_grouped, raised_or, together


def doubled(items: Sequence[int]) -> list[int]:
    return [2 * item for item in items]


class Alone:
    """A host with one job, which is in the thread that made it."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def has_turn(self) -> bool:
        return threading.get_ident() == self._thread

    def meet(self, work: turns.Work, item: object, *, first: bool = False) -> object:
        return "met"


class StopError(Exception):
    pass


def test_outside_of_a_group_work_gets_one_item() -> None:
    assert together(doubled, 4) == 8
    assert not is_grouped()


@pytest.mark.parametrize("result", [StopError("no"), Raised(StopError("no")), StopError])
def test_a_result_that_stands_for_an_error_is_raised(result: object) -> None:
    with pytest.raises(StopError):
        together(lambda items: [result], 1)


@pytest.mark.parametrize("results", [[], [1, 2]])
def test_work_returns_a_result_for_each_item(results: list[int]) -> None:
    with pytest.raises(ValueError, match=f"returned {len(results)} results for 1 items"):
        together(lambda items: results, 1)


@pytest.mark.parametrize("found", [None, {0: 1.0}, {1.0}, "1", 1.0])
def test_work_that_returns_no_list_is_refused_by_its_name(found: Any) -> None:
    def step(items: Sequence[int]) -> Any:
        return found

    with pytest.raises(TypeError, match=rf"step returned {type(found).__name__}; a list with a result"):
        together(step, 1)


def test_an_error_that_several_raise_shows_none_of_the_others() -> None:
    def failed() -> Raised:
        try:
            raise KeyError("first")
        except KeyError as error:
            return Raised(error)

    raised, depths = failed(), []
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            raised_or(raised)
        depths.append(len(caught.traceback))
    assert depths[0] == depths[1]


def test_a_host_decides_for_its_jobs_and_not_for_other_threads() -> None:
    found = []
    with hosted(Alone()):
        assert is_grouped()
        assert together(doubled, 4) == "met"
        thread = threading.Thread(target=lambda: found.append((is_grouped(), together(doubled, 4))))
        thread.start()
        thread.join()
    assert found == [(False, 8)]
    assert not is_grouped()


def test_lists_of_a_job_are_put_away_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_lists", [])
    mine = turns.per_job([1])
    kept = turns.read_lists()
    mine.append(2)
    later = turns.per_job([3])
    turns.write_lists(kept)
    assert (mine, later) == ([1], [])
