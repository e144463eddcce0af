"""The event stream of a page: what it tells, who gets it, and that nothing is lost or repeated however it is cut."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from quadratic import await_true
from served import Sent, Served

from tracking import ExperimentTracker, ModelRegistry


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> ExperimentTracker:
    return ExperimentTracker(tmp_path_factory.mktemp("events") / "experiments")


@pytest.fixture(scope="module")
def served(tracker: ExperimentTracker) -> Iterator[Served]:
    with tracker.start_run("first"):
        pass
    with Served("--port", 0, "--store", tracker.base_dir) as served:
        yield served


def steps(events: list[Sent], run_id: str) -> list[int]:
    """The steps that a page has after some events."""
    found: list[int] = []
    for event in events:
        if event.name == "points" and event.data["run"] == run_id:
            found = [*([] if event.data["whole"] else found), *(line[0] for line in event.data["lines"])]
    return found


def test_a_page_sees_each_point_as_it_is_logged_and_then_the_end(
    served: Served, tracker: ExperimentTracker
) -> None:
    run = tracker.start_run("live")
    with served.stream({"runs": {run.run_id: None}}) as stream:
        assert stream.next().data == {"run": run.run_id, "status": "running", "lines": [], "whole": True}
        for step in range(3):
            run.log({"auc": 0.5 + step, "loss": float("nan")}, step=step)
            (line,) = stream.until("points").data["lines"]
            assert line[0] == step
            assert line[2] == {"auc": 0.5 + step, "loss": "NaN"}
        run.finish()
        while stream.next().data["status"] == "running":
            pass
        assert stream.seen[-1].data["status"] == "completed"
        assert steps(stream.seen, run.run_id) == [0, 1, 2]


def test_a_server_that_is_killed_and_started_again_loses_and_repeats_no_point(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path / "experiments")
    one, two = tracker.start_run("x"), tracker.start_run("x")
    watch = {"runs": {one.run_id: None, two.run_id: None}, "table": True}
    seen: list[Sent] = []
    step, port, last, cookie = 0, 0, None, ""
    for _ in range(3):
        with Served("--port", port, cwd=tmp_path) as served:
            assert served.cookie == (cookie or served.cookie)  # so the page goes on by itself
            port, cookie = served.port, served.cookie
            with served.stream(watch, last) as stream:
                for _ in range(5):
                    one.log({"a": step}, step=step)
                    two.log({"a": step}, step=step)
                    step += 1
                    if step % 2:
                        stream.until("points")
                served.process.kill()
                stream.rest()
                seen += stream.seen
                last = stream.last(last)
        for run in (one, two):
            run.log({"a": step}, step=step)  # while there is no server
        step += 1
    with Served("--port", port, cwd=tmp_path) as served, served.stream(watch, last) as stream:
        while any(len(steps(seen + stream.seen, run.run_id)) < step for run in (one, two)):
            stream.next()
        seen += stream.seen
    for run in (one, two):
        assert steps(seen, run.run_id) == [*range(step)]
        of_run = [event for event in seen if event.name == "points" and event.data["run"] == run.run_id]
        assert [event.data["whole"] for event in of_run] == [True] + [False] * (len(of_run) - 1)
        run.finish()


def test_a_page_can_be_cut_off_between_any_two_events(served: Served, tracker: ExperimentTracker) -> None:
    runs = [tracker.start_run("cut") for _ in range(3)]
    watch = {"runs": {run.run_id: None for run in runs}}
    with served.stream(watch) as stream:
        for _ in runs:
            stream.next()
        last = stream.last()
        for run in runs:
            for step in range(2):
                run.log({"a": step}, step=step)
    seen: list[Sent] = []
    while any(len(steps(seen, run.run_id)) < 2 for run in runs):
        with served.stream(watch, last) as stream:
            seen.append(stream.until("points"))  # what was sent further is lost
            last = stream.last(last)
    assert all(steps(seen, run.run_id) == [0, 1] for run in runs)
    for run in runs:
        run.finish()


def test_an_id_names_only_what_its_event_is_of(served: Served, tracker: ExperimentTracker) -> None:
    runs = [tracker.start_run("ids") for _ in range(3)]
    with served.stream({"runs": {run.run_id: None for run in runs}, "table": True}) as stream:
        while {event.data.get("run") for event in stream.seen} < {None, *(run.run_id for run in runs)}:
            stream.next()
        runs[1].log({"a": 1}, step=0)
        found = stream.until("points")
        assert found.data["lines"]
        assert json.loads(found.id).keys() == {"runs"}
        assert json.loads(found.id)["runs"].keys() == {runs[1].run_id}
        assert json.loads(stream.last())["runs"].keys() == {run.run_id for run in runs}
    for run in runs:
        run.finish()


def test_two_pages_get_all_and_each_what_it_watches(served: Served, tracker: ExperimentTracker) -> None:
    one, two = tracker.start_run("pages"), tracker.start_run("pages")
    both = {"runs": {one.run_id: None, two.run_id: None}}
    with served.stream(both) as left, served.stream({"runs": {two.run_id: None}}) as right:
        for run in (one, two):
            for step in range(4):
                run.log({"a": step}, step=step)
            run.finish()
        for stream, runs in ((left, (one, two)), (right, (two,))):
            while any(len(steps(stream.seen, run.run_id)) < 4 for run in runs):
                stream.next()
        assert {event.data["run"] for event in right.seen} == {two.run_id}


def test_what_a_run_prints_follows_from_any_byte(served: Served, tracker: ExperimentTracker) -> None:
    run = tracker.start_run("prints")
    log = tracker.base_dir / "runs" / run.run_id / "stdout.log"
    log.write_bytes("début\n".encode())
    with served.stream({"output": {run.run_id: None}}) as stream:
        first = stream.next().data
        assert (first["text"], first["end"], first["whole"]) == ("début\n", 7, True)
        with log.open("a") as file:
            file.write("two\n")
        assert stream.next().data == {"run": run.run_id, "text": "two\n", "end": 11, "whole": False}
        (last, further) = [event.id for event in stream.seen]
        assert json.loads(further) == {"output": {run.run_id: 11}}
    with served.stream({"output": {run.run_id: None}}, last) as stream:
        assert stream.next().data["text"] == "two\n"
    run.finish()


def test_a_run_that_is_not_there_or_goes_is_told_once(served: Served, tracker: ExperimentTracker) -> None:
    with tracker.start_run("goes") as run:
        run.log({"a": 1}, step=0)
    watch = {
        "runs": {"run_999999": None, "../x": None, "a\nb": None, run.run_id: None},
        "output": {"..": None},
    }
    with served.stream(watch) as stream:
        events = [stream.next() for _ in range(5)]
        assert sorted(event.data["run"] for event in events if event.name == "gone") == [
            *("..", "../x", "a\nb", "run_999999")
        ]
        tracker.delete_run(run.run_id)
        assert stream.until("gone").data == {"run": run.run_id}
        assert stream.seen[-1].id == "{}"


def test_a_page_may_follow_many_runs_from_long_cursors(served: Served) -> None:
    runs = {f"run_9{number:05}": "[" + "x" * 300 + "]" for number in range(200)}
    with served.stream({"runs": runs}, json.dumps({"runs": runs})) as stream:  # 140 kB of address
        assert {stream.next().name for _ in runs} == {"gone"}


def test_the_table_is_told_of_once_and_whenever_it_changes(
    served: Served, tracker: ExperimentTracker
) -> None:
    with served.stream({"table": True}) as stream, served.stream({"table": True}) as other:
        first = stream.next()
        assert first.name == "table"
        with tracker.start_run("table"):
            pass
        for each in (stream, other):
            while each.next().data["version"] == first.data["version"]:
                pass
        last = stream.seen[-1].id
        assert json.loads(last) == {"table": stream.seen[-1].data["version"]}
    assert served.api("0/runs", limit=1)["version"]


def test_the_models_are_told_of_once_and_whenever_one_changes(
    served: Served, tracker: ExperimentTracker
) -> None:
    registry = ModelRegistry(tracker.base_dir)
    with served.stream({"models": True}) as stream:
        first = stream.next()
        assert first.name == "models"
        objective = {"metric": "auc", "mode": "max", "value": 0.5}
        with tracker.start_run("models") as run:
            run.log({"auc": 0.5}, step=0)
        registry.register("net", run.run_id, files=[], objective=objective)
        registered = stream.next()
        assert registered.data["stamp"] != first.data["stamp"]
        last = stream.last()
    registry.promote("net", 1, reason="by hand")  # while nobody looks
    with served.stream({"models": True}, last) as stream:
        assert stream.next().data["stamp"] != registered.data["stamp"]


def test_a_stream_ends_at_once_when_the_server_does(tmp_path: Path) -> None:
    with Served("--port", 0, cwd=tmp_path) as served, served.stream({"table": True}) as stream:
        stream.next()
        assert served.end(signal.SIGINT) == (0, "", "")
        stream.rest()


def test_a_page_that_leaves_holds_nothing(served: Served, tracker: ExperimentTracker) -> None:
    with tracker.start_run("leaves") as run:
        run.log({"a": 1}, step=0)
        journals = str(tracker.base_dir / "runs" / run.run_id)

        def held() -> list[str]:
            folder = Path(f"/proc/{served.process.pid}/fd")
            return [link for link in map(_target, folder.iterdir()) if link.startswith(journals)]

        with served.stream({"runs": {run.run_id: None}}) as stream:
            stream.next()
            assert held()
        await_true(lambda: not held())


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


@pytest.mark.parametrize(
    "watch",
    [
        "x", "[]", "1", "null", "{", '{"store": "0"}', '{"store": true}', '{"sweep": 1}', '{"runs": []}',
        json.dumps({"runs": dict.fromkeys(range(201))}), '{"output": "x"}', "[" * 9000,
    ],
)  # fmt: skip
def test_a_watch_list_that_is_none_is_refused(served: Served, watch: str) -> None:
    answer = served.ask("/api/events?watch=" + quote(watch))
    assert answer.status == 400
    assert answer.json["error"].startswith("watch: ")


@pytest.mark.parametrize("watch", [{"store": 1}, {"store": -1}, {"sweep": "none"}])
def test_what_is_not_there_cannot_be_watched(served: Served, watch: dict[str, Any]) -> None:
    assert served.ask("/api/events?watch=" + quote(json.dumps(watch))).status == 404


@pytest.mark.parametrize(
    "last", ["x", "[]", '{"runs": 3}', '{"runs": {"run_001": 3}}', '{"runs": {"run_001": "x"}}']
)
def test_an_id_of_something_else_begins_anew(served: Served, last: str) -> None:
    with served.stream({"runs": {"run_001": None}}, last) as stream:
        assert stream.next().data["whole"]
