"""A place whose nodes are lost at once waits longer and longer for the next one."""

import time

import pytest

from sweeps.executor.engines.backoff import AT_ONCE_S, Backoff


def test_each_node_in_turn_that_is_lost_at_once_doubles_the_wait_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    backoff, waits = Backoff(), list[float]()
    for _ in range(6):
        backoff.note_loss(1000.0)
        waits.append(backoff.left_s)
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 32.0]


def test_a_node_that_lasted_is_replaced_at_once_and_begins_the_waits_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    backoff = Backoff()
    assert backoff.left_s == 0.0
    backoff.note_loss(now)
    backoff.note_loss(now)
    now += AT_ONCE_S
    assert backoff.left_s == 0.0
    backoff.note_loss(now - AT_ONCE_S)
    assert backoff.left_s == 0.0
    backoff.note_loss(now)
    assert backoff.left_s == 2.0
