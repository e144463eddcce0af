"""Room in a Ray as places for nodes; the nodes here send back what they get."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import psutil
import pytest
from ray_started import PATIENCE_S, StartedRay, started_ray, wait_for

from sweeps.errors import SweepError
from sweeps.executor.cluster.engine import Node, NodeCommand, NodeLostError, NodeRefusedError
from sweeps.executor.engines.ray import RayEngine
from sweeps.settings.ray_settings import RaySettings

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(400),
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]

ECHO = """
import os
from sweeps.executor.cluster.frames import read_frame, write_frame
write_frame(1, b"%d" % os.getpid())
while (message := read_frame(0)) is not None:
    write_frame(1, message)
"""
TELLING = """
import os
from sweeps.executor.cluster.frames import read_frame, write_frame
write_frame(1, os.environ.get("{name}", "nothing").encode())
read_frame(0)
"""
LEAVING = """
import os, signal
from sweeps.executor.cluster.frames import read_frame, write_frame
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
write_frame(1, b"%d" % os.getpid())
signal.sigwait({signal.SIGTERM})
write_frame(1, b"it leaves")
"""
EARLIER = """
import time
from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.engines.ray import RayEngine
from sweeps.settings.ray_settings import RaySettings
engine = RayEngine(RaySettings("{address}", nodes=2), 1.0)
nodes = engine.nodes(NodeCommand("echoes", ("-c", {code!r})))
for _ in range(2):
    print(int(next(nodes).receive()), flush=True)
print(engine._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def ray() -> Iterator[StartedRay]:
    with started_ray("--num-cpus=2", "--num-gpus=4") as ray:
        yield ray


@pytest.fixture
def engine(ray: StartedRay) -> Iterator[RayEngine]:
    engine = engine_on(ray)
    yield engine
    engine.close()


def engine_on(
    ray: StartedRay, *, num_gpus: float = 0.0, places: int = 1, nodes: int | None = None
) -> RayEngine:
    return RayEngine(RaySettings(ray.address, num_gpus=num_gpus, places=places, nodes=nodes), 1.0)


def command(code: str = ECHO) -> NodeCommand:
    return NodeCommand("echoes", ("-c", code))


def pid_of(node: Node) -> int:
    """Return the process id that a node sends first."""
    return int(node.receive())


def why_lost(node: Node) -> str:
    while True:
        try:
            node.receive()
        except NodeLostError as lost:
            return str(lost)


def below() -> set[psutil.Process]:
    """Return the processes that this one has started, and those that they have."""
    return set(psutil.Process().children(recursive=True))


def are_gone(*pids: int) -> Callable[[], bool]:
    return lambda: not any(map(psutil.pid_exists, pids))


def test_there_are_as_many_nodes_as_ray_has_room_for(engine: RayEngine) -> None:
    nodes = engine.nodes(command())
    first, second = next(nodes), next(nodes)
    assert [each.name.rpartition("/")[2] for each in (first, second)] == ["1", "2"]
    assert (first.places, second.places) == (1, 1)
    assert pid_of(first) != pid_of(second)


def test_a_node_of_several_jobs_takes_the_room_of_all(ray: StartedRay) -> None:
    engine = engine_on(ray, places=2)
    nodes = engine.nodes(command(TELLING.format(name="LOKY_MAX_CPU_COUNT")))
    node = next(nodes)
    assert (node.places, node.receive()) == (2, b"2")
    engine.close()
    assert list(nodes) == []


def test_messages_of_any_length_go_both_ways_in_their_order(engine: RayEngine) -> None:
    node = next(engine.nodes(command()))
    pid_of(node)
    messages = [b"", b"short", os.urandom(20_000_000), *(b"%d" % number for number in range(200))]
    for message in messages:
        node.send(message)
    assert [node.receive() for _ in messages] == messages


def test_a_place_whose_node_has_died_gets_another_one_and_one_whose_node_was_closed_for_good_gets_none(
    engine: RayEngine,
) -> None:
    nodes = engine.nodes(command())
    first, second = next(nodes), next(nodes)
    pid = pid_of(second)
    second.close(for_good=True)
    assert not psutil.pid_exists(pid)
    assert why_lost(second) == "it was closed"
    with pytest.raises(NodeLostError, match="it was closed"):
        second.send(b"too late")
    os.kill(pid_of(first), signal.SIGKILL)
    assert "exit code" in why_lost(first)
    third = next(nodes)
    assert third.name == first.name
    third.send(b"again")
    assert (psutil.pid_exists(pid_of(third)), third.receive()) == (True, b"again")


def test_a_place_whose_node_was_closed_gets_another_one(engine: RayEngine) -> None:
    nodes = engine.nodes(command())
    node, _ = next(nodes), next(nodes)
    pid = pid_of(node)
    node.close()
    assert not psutil.pid_exists(pid)
    assert why_lost(node) == "it was closed"
    another = next(nodes)
    assert another.name == node.name
    assert pid_of(another) != pid


def test_a_place_that_hangs_while_its_node_is_closed_gets_another_one(ray: StartedRay) -> None:
    engine = engine_on(ray, nodes=1)
    nodes = engine.nodes(command())
    node = next(nodes)
    pid = pid_of(node)
    actor = psutil.Process(pid).parent()
    assert actor is not None
    actor.suspend()
    node.close()
    assert why_lost(node) == "it was closed"
    another = next(nodes)
    assert another.name == node.name
    wait_for(are_gone(pid))
    assert psutil.pid_exists(pid_of(another))
    engine.close()


def test_a_node_is_to_come_where_there_is_room_until_the_sweep_has_it(engine: RayEngine) -> None:
    nodes = engine.nodes(command())
    first = next(nodes)
    assert engine.is_starting
    next(nodes)
    taken = list[Node]()
    thread = threading.Thread(target=lambda: taken.extend(nodes))
    thread.start()
    wait_for(lambda: not engine.is_starting)  # though further actors wait for room
    os.kill(pid_of(first), signal.SIGKILL)
    assert why_lost(first)
    assert engine.is_starting
    wait_for(lambda: not engine.is_starting)
    assert [each.name for each in taken] == [first.name]
    engine.close()
    thread.join()


def test_a_machine_whose_python_lacks_podium_is_refused_by_its_name(ray: StartedRay) -> None:
    machine = ray.add("--num-cpus=1", '--resources={"lacking": 1}', has_podium=False)
    engine = RayEngine(RaySettings(ray.address, resources={"lacking": 1.0}), 1.0)
    node = next(engine.nodes(command()))
    assert node.name.endswith("/1")
    with pytest.raises(
        NodeRefusedError,
        match=r"^its Python cannot import podium: ModuleNotFoundError: No module named 'sweeps'$",
    ):
        node.receive()
    assert not engine.is_starting
    engine.close()
    assert machine.poll() is None
    ray.take_back(machine)


def test_a_node_leaves_whose_machine_is_taken_back_in_order(engine: RayEngine, ray: StartedRay) -> None:
    nodes = engine.nodes(command(LEAVING))
    next(nodes), next(nodes)
    machine = ray.add("--num-cpus=1")
    third = next(nodes)
    assert pid_of(third)
    ray.take_back(machine)
    assert third.receive() == b"it leaves"
    assert "its process ended with exit code 0" in why_lost(third)


def test_a_node_that_cannot_start_is_lost_from_the_beginning_with_what_it_said(engine: RayEngine) -> None:
    node = next(engine.nodes(command("raise SystemExit('no room here')")))
    assert "no room here" in why_lost(node)


def test_a_node_is_lost_with_its_actor_and_another_one_takes_the_room(engine: RayEngine) -> None:
    nodes = engine.nodes(command())
    first, second = next(nodes), next(nodes)
    pid = pid_of(first)
    psutil.Process(pid).parent().kill()
    assert "its actor has gone" in why_lost(first)
    wait_for(are_gone(pid))
    third = next(nodes)
    assert third.name == first.name
    assert pid_of(third) != pid
    second.send(b"still here")
    assert (pid_of(second) > 0, second.receive()) == (True, b"still here")


def test_a_machine_that_comes_later_has_places_too_whose_nodes_are_lost_with_it(
    engine: RayEngine, ray: StartedRay
) -> None:
    nodes = engine.nodes(command())
    first, second = next(nodes), next(nodes)
    machine = ray.add("--num-cpus=1")
    third = next(nodes)
    pid = pid_of(third)
    ray.remove(machine)
    assert "its actor has gone" in why_lost(third)
    assert not psutil.pid_exists(pid)
    for node in (first, second):
        node.send(b"still here")
        assert (pid_of(node) > 0, node.receive()) == (True, b"still here")


@pytest.mark.parametrize(
    ("num_gpus", "places", "seen"), [(0.0, 1, 0), (1.0, 1, 1), (0.5, 2, 1), (1.0, 2, 2), (3.0, 1, 3)]
)
def test_a_node_sees_the_devices_that_ray_gives_it(
    ray: StartedRay, num_gpus: float, places: int, seen: int
) -> None:
    engine = engine_on(ray, num_gpus=num_gpus, places=places, nodes=1)
    devices = next(engine.nodes(command(TELLING.format(name="CUDA_VISIBLE_DEVICES")))).receive().decode()
    engine.close()
    assert len([each for each in devices.split(",") if each in {"0", "1", "2", "3"}]) == seen


@contextlib.contextmanager
def earlier_session(ray: StartedRay) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    """Start two nodes from another process; yield it and their process ids, and that of the process that speaks to Ray."""
    code = EARLIER.format(address=ray.address, code=ECHO)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(process.stdout.readline()) for _ in range(3)]
        assert all(map(psutil.pid_exists, pids))
        yield process, pids


def test_a_node_that_an_earlier_session_of_the_sweep_has_left_is_ended_first(
    engine: RayEngine, ray: StartedRay
) -> None:
    with earlier_session(ray) as (process, (*pids, speaker)):
        for each in (process.pid, speaker):
            os.kill(each, signal.SIGSTOP)
        node = next(engine.nodes(command()))
        assert are_gone(*pids)()
        assert psutil.pid_exists(pid_of(node))
        process.kill()
        os.kill(speaker, signal.SIGKILL)


def test_all_ends_by_itself_when_the_process_of_its_sweep_is_killed(ray: StartedRay) -> None:
    with earlier_session(ray) as (process, pids):
        process.kill()
    wait_for(are_gone(*pids))


def test_closing_leaves_no_node_and_ends_the_iteration(ray: StartedRay) -> None:
    engine = engine_on(ray)
    nodes = engine.nodes(command())
    pids = [pid_of(next(nodes)), pid_of(next(nodes))]
    ended = threading.Event()

    def iterate() -> None:
        assert list(nodes) == []
        ended.set()

    threading.Thread(target=iterate).start()
    engine.close()
    engine.close()
    assert ended.wait(PATIENCE_S)
    assert are_gone(*pids)()


def test_an_engine_that_is_closed_at_once_leaves_nothing() -> None:
    before = below()
    engine = RayEngine(RaySettings(), 1.0)
    engine.close()
    assert below() <= before  # what was left of others may have ended


def test_a_ray_that_cannot_be_reached_is_named() -> None:
    engine = RayEngine(RaySettings("127.0.0.1:9"), 1.0)
    with pytest.raises(
        SweepError, match=r"address=127\.0\.0\.1:9: Ray cannot be used: ConnectionRefusedError"
    ):
        next(engine.nodes(command()))
    engine.close()


def test_a_device_that_this_machine_lacks_is_named() -> None:
    before = below()
    engine = RayEngine(RaySettings(resources={"no_such_thing": 2.0}), 1.0)
    with pytest.raises(
        SweepError, match=r"Ray on this machine: .* takes no_such_thing 2, and this machine has 0"
    ):
        next(engine.nodes(command()))
    engine.close()
    assert below() <= before  # what was left of others may have ended


def test_when_ray_has_gone_the_nodes_are_lost_and_the_engine_says_so() -> None:
    with started_ray("--num-cpus=1") as ray:
        engine = engine_on(ray)
        nodes = engine.nodes(command())
        node = next(nodes)
        pid = pid_of(node)
        ray.remove(ray.head)
        with pytest.raises(SweepError, match=f"address={ray.address}: Ray cannot be used: "):
            next(nodes)
        assert why_lost(node)
        engine.close()
    wait_for(are_gone(pid))
