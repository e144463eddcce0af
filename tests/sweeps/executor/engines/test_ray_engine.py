"""Room in a Ray as places for nodes; the nodes here send back what they get."""

import os
import signal
import threading
from collections.abc import Iterator

import psutil
import pytest
from engine_contract import EngineContract, command, leaving, pid_of, why_lost
from engine_processes import are_gone, wait_for, wait_until_gone
from ray_started import NEEDS_RAY, StartedRay, started_ray

from sweeps.errors import SweepError
from sweeps.executor.cluster.engine import Node, NodeRefusedError
from sweeps.executor.engines.ray import RayEngine
from sweeps.settings.ray_settings import RaySettings

pytestmark = NEEDS_RAY

CODE = """
from sweeps.executor.engines.ray import RayEngine
from sweeps.settings.ray_settings import RaySettings
engine = RayEngine(RaySettings("{address}", nodes=2), 1.0)
"""
TELLING = """
import os
from sweeps.executor.cluster.frames import read_frame, write_frame
write_frame(1, os.environ.get("{name}", "nothing").encode())
read_frame(0)
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


class TestRay(EngineContract):
    @pytest.fixture
    def code(self, ray: StartedRay) -> str:
        return CODE.format(address=ray.address)


def below() -> set[psutil.Process]:
    """Return the processes that this one has started, and those that they have."""
    return set(psutil.Process().children(recursive=True))


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


def test_a_place_whose_node_was_closed_gets_another_one(engine: RayEngine) -> None:
    nodes = engine.nodes(command())
    node, _ = next(nodes), next(nodes)
    pid = pid_of(node)
    node.close()
    assert are_gone(pid)
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
    wait_until_gone(pid)
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
    nodes = engine.nodes(leaving())
    next(nodes), next(nodes)
    machine = ray.add("--num-cpus=1")
    third = next(nodes)
    assert pid_of(third)
    ray.take_back(machine)
    assert third.receive() == b"leaving"
    assert "its process ended with exit code 0" in why_lost(third)


def test_a_node_is_lost_with_its_actor_and_another_one_takes_the_room(engine: RayEngine) -> None:
    nodes = engine.nodes(command())
    first, second = next(nodes), next(nodes)
    pid = pid_of(first)
    psutil.Process(pid).parent().kill()
    assert "its actor has gone" in why_lost(first)
    wait_until_gone(pid)
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
    assert are_gone(pid)
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
    wait_until_gone(pid)
