"""What a reader keeps of an index: bounded, of one state, and unchanged."""

import math
import sys

from tracking.search.index.memory import Memory, bytes_of, shared


def test_an_answer_is_made_once_until_the_state_changes() -> None:
    memory, made = Memory(10_000), []

    def make() -> list[int]:
        made.append(1)
        return [1, 2]

    memory.begin("one")
    assert memory.keep("key", make) == memory.keep("key", make) == [1, 2]
    memory.begin("one")
    memory.keep("key", make)
    assert len(made) == 1
    memory.begin("two")
    assert memory.kept("key") is None
    memory.keep("key", make)
    assert len(made) == 2


def test_what_was_not_asked_for_longest_makes_room() -> None:
    column = list(range(1000, 2000))
    memory = Memory(bytes_of(column) * 2)
    memory.begin("state")
    for key in ("first", "second"):
        memory.keep(key, lambda: list(column))
    memory.kept("first")
    memory.keep("third", lambda: list(column))
    assert [memory.kept(key) is not None for key in ("first", "second", "third")] == [True, False, True]


def test_an_answer_that_is_larger_than_the_memory_is_given_and_not_kept() -> None:
    memory = Memory(1000)
    memory.begin("state")
    memory.keep("small", lambda: [1])
    assert len(memory.keep("large", lambda: ["x" * 50 + str(each) for each in range(100)])) == 100
    assert memory.kept("large") is None
    assert memory.kept("small") == [1]


def test_equal_texts_are_one_object_and_no_value_becomes_another_one() -> None:
    texts = ["a" * 2, "".join(["a", "a"]), None, "b"]
    assert shared(texts) == texts
    assert shared(texts)[0] is shared(texts)[1]
    mixed = [1, True, 1.0, -0.0, 0.0, math.nan, None, "aa", [1]]
    assert list(map(repr, shared(mixed))) == list(map(repr, mixed))


def test_a_column_is_measured_about_as_large_as_it_is() -> None:
    floats = [each / 7 for each in range(1000)]
    assert bytes_of(floats) == sys.getsizeof(floats) + sum(map(sys.getsizeof, floats))
    assert bytes_of(["x" * 1000] * 10) < 2000
    assert bytes_of([[1]] * 10) > 1000
