"""Messages that go by calls, some of which fail, arrive whole, once and in their order."""

import queue
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.executor.cluster.engine import NodeLostError
from sweeps.executor.engines import agent as agents
from sweeps.executor.engines.agent import Agent, Answer
from sweeps.executor.engines.line import Line

PATIENCE_S = 60.0


class FakeProcess:
    """A process of a node that writes what a test says, and keeps what it gets."""

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.is_closed = threading.Event()

    def send(self, message: bytes) -> None:
        if self.is_closed.is_set():
            raise NodeLostError("it is closed")
        self.heard.put(message)

    def receive(self) -> bytes:
        message = self.said.get()
        if message is None:
            raise NodeLostError("its process ended with exit code 7")
        return message

    def close(self) -> None:
        self.is_closed.set()
        self.said.put(None)


class Carried:
    """An agent that carries the messages of a fake process; `bell` is rung by it."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.process, self.bell, self.line = FakeProcess(), threading.Event(), Line()
        self.agent = Agent(self.process, self.bell.set)
        self.thread = threading.Thread(target=self.agent.carry, args=(patience_s,))
        self.thread.start()

    def call(self, *, fails: str = "") -> bool:
        """Call the agent once; what fails is nothing, the request or the answer. Return whether to call again."""
        if fails == "request":
            return True
        answer = self.agent.exchange(*self.line.call)
        return True if fails == "answer" else self.line.take(answer)

    def send(self) -> None:
        """Call the agent with what there is to send, and fetch nothing."""
        _, first, messages = self.line.call
        self.line.take(Answer(self.agent.take(first, messages), (), more=False, ended=None))

    def end(self) -> None:
        self.process.said.put(None)
        while self.line.lost is None:
            assert self.bell.wait(PATIENCE_S)
            self.bell.clear()
            while self.call() and self.line.lost is None:
                pass
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@given(st.lists(st.sampled_from(["to", "from", "call", "send", "request", "answer"]), max_size=30))
def test_no_message_is_lost_or_taken_twice_whichever_calls_fail(steps: list[str]) -> None:
    carried, sent, said = Carried(), list[bytes](), list[bytes]()
    for number, step in enumerate(steps):
        message = b"message %d" % number
        if step == "to":
            carried.line.put(message)
            sent.append(message)
        elif step == "from":
            carried.process.said.put(message)
            said.append(message)
        elif step == "send":
            carried.send()
        else:
            carried.call(fails=step)
    while carried.line.call.messages:
        carried.call()
    assert [carried.process.heard.get(timeout=PATIENCE_S) for _ in sent] == sent
    carried.end()
    assert [carried.line.get() for _ in said] == said
    with pytest.raises(NodeLostError, match="exit code 7"):
        carried.line.get()
    assert carried.process.heard.empty()


def test_the_bell_rings_for_a_message_after_all_before_it_were_fetched() -> None:
    carried = Carried()
    for message in (b"first", b"second"):
        carried.process.said.put(message)
        assert carried.bell.wait(PATIENCE_S)
        carried.bell.clear()
        carried.call()
        assert carried.line.get() == message
    carried.end()


def test_an_answer_is_of_bounded_size_and_says_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "MOST_BYTES", 10)
    carried = Carried()
    messages = [b"1234", b"12345", b"12", b"x" * 30, b"1"]
    for message in messages:
        carried.process.said.put(message)
    carried.end()
    answers = [carried.line.get() for _ in messages]
    assert answers == messages


def test_an_agent_ends_with_its_process_though_nobody_fetches_the_last_messages() -> None:
    carried = Carried(patience_s=0.0)
    carried.process.said.put(b"never fetched")
    carried.process.said.put(None)
    carried.thread.join(PATIENCE_S)
    assert not carried.thread.is_alive()
    assert carried.process.is_closed.is_set()


def test_closing_ends_the_process_and_what_it_has_sent_is_waited_for_no_more() -> None:
    carried = Carried()
    carried.process.said.put(b"never fetched")
    carried.agent.close()
    carried.thread.join(PATIENCE_S)
    assert not carried.thread.is_alive()


def test_a_message_to_a_lost_node_is_refused_with_the_first_reason() -> None:
    line = Line()
    line.lose("its worker has gone")
    line.lose("it was closed")
    with pytest.raises(NodeLostError, match="its worker has gone"):
        line.put(b"too late")
    for _ in range(2):
        with pytest.raises(NodeLostError, match="its worker has gone"):
            line.get()
