"""What a page gets of a run that logs: new lines alone wherever the files allow it, from any cursor."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from plain_json import assert_plain

from tracking import ExperimentTracker, InvalidNameError, UnknownRunError
from tracking.browse import following
from tracking.browse.following import FollowedRun, News
from tracking.browse.reader import StoreReader
from tracking.metrics.line import Line
from tracking.paths import StorePaths


@pytest.fixture
def followed(request: pytest.FixtureRequest) -> Any:
    """Opens readers that are closed at the end of the test."""

    def follow(reader: StoreReader, run_id: str, cursor: str | None = None) -> FollowedRun:
        run = reader.follow(run_id, cursor)
        request.addfinalizer(run.close)
        return run

    return follow


def steps(news: News) -> list[int]:
    return [step for step, _, _ in news.lines]


def test_a_reader_gets_each_log_call_once(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any
) -> None:
    run = tracker.start_run("ctr_model")
    run.log({"loss": 0.5, "auc": float("nan")}, step=0)
    page = followed(reader, run.run_id)
    first = page.read()
    assert first.whole
    assert first.lines[0][2] == {"loss": 0.5, "auc": "NaN"}
    assert 0 <= first.lines[0][1] < 60
    assert_plain(first.lines)
    for step in range(1, 4):
        run.log({"loss": 0.5}, step=step)
        news = page.read()
        assert (steps(news), news.whole, news.status) == ([step], False, "running")
    assert page.read().lines == []
    run.finish()


def test_a_run_that_has_not_logged_yet_is_waited_for(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any
) -> None:
    run = tracker.start_run("ctr_model")
    page = followed(reader, run.run_id)
    cursor = page.read().cursor
    assert page.read().whole is False
    run.log({"loss": 0.5}, step=0)
    for each in (page, followed(reader, run.run_id, cursor)):
        news = each.read()
        assert (steps(news), news.whole) == ([0], False)
    run.finish()


def test_the_end_of_a_run_sends_no_point_again(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "STATUS_S", 0)
    run = tracker.start_run("ctr_model")
    run.log({"loss": 0.5}, step=0)
    page = followed(reader, run.run_id)
    page.read()
    run.log({"loss": 0.25}, step=1)
    run.finish()
    news = page.read()
    assert (steps(news), news.whole, news.status) == ([1], False, "completed")
    later = followed(reader, run.run_id, news.cursor).read()
    assert (later.lines, later.whole) == ([], False)


def test_a_reader_that_comes_back_gets_what_it_missed(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any
) -> None:
    run = tracker.start_run("ctr_model")
    run.log({"loss": 0.5}, step=0)
    cursor = followed(reader, run.run_id).read().cursor
    run.log({"loss": 0.25}, step=1)
    news = followed(reader, run.run_id, cursor).read()
    assert (steps(news), news.whole) == ([1], False)
    run.log({"loss": 0.125}, step=2)
    run.finish()
    again = followed(reader, run.run_id, news.cursor).read()
    assert (steps(again), again.whole) == ([0, 1, 2], True)  # the journal with the bytes is gone
    full = followed(reader, run.run_id, again.cursor).read()
    assert (full.lines, full.whole) == ([], False)


def test_a_reader_that_had_all_when_the_run_ended_gets_nothing_again(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any
) -> None:
    run = tracker.start_run("ctr_model")
    run.log({"loss": 0.5}, step=0)
    cursor = followed(reader, run.run_id).read().cursor
    run.finish()
    news = followed(reader, run.run_id, cursor).read()
    assert (news.lines, news.whole) == ([], False)


def test_curves_say_where_to_go_on(tracker: ExperimentTracker, reader: StoreReader, followed: Any) -> None:
    run = tracker.start_run("ctr_model")
    for step in range(20):
        run.log({"loss": 0.5, "auc": 0.5}, step=step)
    curves = reader.curves([run.run_id], ["loss"], most=6)
    run.log({"loss": 0.25}, step=20)
    news = followed(reader, run.run_id, curves["cursors"][run.run_id]).read()
    assert (steps(news), news.whole) == ([20], False)
    run.finish()
    curves = reader.curves([run.run_id], ["loss"])
    assert not followed(reader, run.run_id, curves["cursors"][run.run_id]).read().whole


def test_a_line_that_is_not_over_waits(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any, base: Path
) -> None:
    run_id = tracker.create_run("ctr_model")
    journal = StorePaths(base).run(run_id).journal
    line = Line(0, "2026-11-15T10:00:00.000+00:00", {"loss": 0.5}).encode()
    journal.write_bytes(line + line[:20])
    page = followed(reader, run_id)
    assert len(page.read().lines) == 1
    assert page.read().lines == []
    with journal.open("ab") as file:
        file.write(line[20:])
    assert len(page.read().lines) == 1


@pytest.mark.parametrize(
    "cursor",
    [
        *(
            "",
            "x",
            "null",
            "[]",
            "[1]",
            '[2,[],0,""]',
            '[1,7,1,""]',
            '[1,[],"x",""]',
            "[" * 9999,
            "1" * 100_000,
        ),
        *(
            '[1,[[5,"00000000"]],1,""]',
            '[1,[[-5,"x"]],1,""]',
            '[1,[["a","b"]],0,""]',
            '[1,[[1e99,"x"]],1,""]',
        ),
    ],
)
def test_a_cursor_of_something_else_gives_all_points(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any, cursor: str
) -> None:
    with tracker.start_run("ctr_model") as run:
        run.log({"loss": 0.5}, step=0)
        news = followed(reader, run.run_id, cursor).read()
    assert (steps(news), news.whole) == ([0], True)


def test_a_look_without_news_reads_no_file(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracker.start_run("ctr_model") as run:
        run.log({"loss": 0.5}, step=0)
    page = followed(reader, run.run_id)
    for _ in range(3):
        page.read()
    opened = []
    monkeypatch.setattr(following, "open_file", opened.append)
    monkeypatch.setattr(following, "read_lines", opened.append)
    monkeypatch.setattr(following, "snapshot", opened.append)
    cursor = page.read().cursor
    assert page.read().cursor == cursor
    assert opened == []


def test_a_run_that_goes_on_is_given_anew(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any
) -> None:
    with tracker.start_run("ctr_model") as run:
        run.log({"loss": 0.5}, step=0)
    page = followed(reader, run.run_id)
    page.read()
    tracker.log_metrics(run.run_id, {"loss": 0.25}, step=1)
    news = page.read()
    assert (steps(news), news.whole) == ([0, 1], True)


def test_a_long_run_is_given_as_the_lines_that_show_its_curves(
    tracker: ExperimentTracker,
    reader: StoreReader,
    followed: Any,
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tracking.browse.points.MOST_HELD", 1000)
    monkeypatch.setattr(following, "LONG_BYTES", 10_000)
    run_id = tracker.create_run("ctr_model")
    stamp = "2026-11-15T10:00:00.000+00:00"
    text = b"".join(Line(step, stamp, {"loss": step % 7}).encode() for step in range(30_000))
    journal = StorePaths(base).run(run_id).journal
    journal.write_bytes(text)
    page = followed(reader, run_id)
    news = page.read()
    assert len(news.lines) <= 1000
    assert {0, 29_999} <= set(steps(news))
    with journal.open("ab") as file:
        file.write(Line(30_000, stamp, {"loss": 0.5}).encode())
    assert steps(page.read()) == [30_000]


def test_a_deleted_run_is_unknown(
    tracker: ExperimentTracker, reader: StoreReader, followed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "STATUS_S", 0)
    with tracker.start_run("ctr_model") as run:
        run.log({"loss": 0.5})
    page = followed(reader, run.run_id)
    page.read()
    tracker.delete_run(run.run_id)
    with pytest.raises(UnknownRunError):
        page.read()
    with pytest.raises(UnknownRunError):
        reader.follow(run.run_id)
    with pytest.raises(InvalidNameError):
        reader.follow("../runs")


LOGGER = """
import sys, time
from tracking import ExperimentTracker
tracker = ExperimentTracker(sys.argv[1])
run = tracker.start_run("ctr_model")
print(run.run_id, flush=True)
for step in range(int(sys.argv[2])):
    run.log({"loss": step / 3}, step=step)
    if step % 50 == 49:
        time.sleep(0.001)
if len(sys.argv) > 3:
    print("logged", flush=True)
    time.sleep(100)
run.finish()
"""


def test_a_process_that_logs_loses_no_point_on_the_way(base: Path, reader: StoreReader) -> None:
    seen: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LOGGER), str(base), "3000"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        run_id = process.stdout.readline().strip()
        page, looks = reader.follow(run_id), 0
        while True:
            is_over = process.poll() is not None
            news = page.read()
            seen = [*([] if news.whole else seen), *steps(news)]
            looks += 1
            if looks % 5 == 0:  # the connection is lost
                page.close()
                page = reader.follow(run_id, news.cursor)
            if is_over:
                break
        page.close()
    assert seen == list(range(3000))


def test_a_killed_process_leaves_what_it_logged(
    base: Path, reader: StoreReader, followed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "STATUS_S", 0)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LOGGER), str(base), "100", "stay"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        run_id = process.stdout.readline().strip()
        page = followed(reader, run_id)
        assert process.stdout.readline() == "logged\n"
        first = page.read()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    news = page.read()
    assert steps(first) + steps(news) == list(range(100))
    assert news.status == "killed"


def test_printed_lines_are_followed(tracker: ExperimentTracker, reader: StoreReader, base: Path) -> None:
    run_id = tracker.create_run("ctr_model")
    output = StorePaths(base).run(run_id).output
    text = reader.follow_text(run_id)
    assert text.read() == ("", 0, False)
    output.write_bytes(b"one\n")
    assert text.read() == ("one\n", 4, True)
    with output.open("ab") as file:
        file.write("zwölf".encode()[:3])
    assert text.read() == ("zw", 6, False)
    with output.open("ab") as file:
        file.write("zwölf\n".encode()[3:])
    assert text.read()[0] != ""
    assert text.read().text == ""
    again = reader.follow_text(run_id, 4)
    assert again.read() == ("zwölf\n", output.stat().st_size, False)
    output.write_bytes(b"x\n")
    assert again.read() == ("x\n", 2, True)


def test_the_end_of_a_long_output_is_shown_from_a_line_on(
    tracker: ExperimentTracker, reader: StoreReader, base: Path
) -> None:
    run_id = tracker.create_run("ctr_model")
    StorePaths(base).run(run_id).output.write_text("".join(f"line {number}\n" for number in range(20_000)))
    news = reader.follow_text(run_id).read()
    assert news.text.startswith("line ")
    assert news.text.endswith("line 19999\n")
    assert len(news.text) <= 64 << 10


def test_parts_of_an_output_join_without_a_gap(
    tracker: ExperimentTracker, reader: StoreReader, base: Path
) -> None:
    run_id = tracker.create_run("ctr_model")
    whole = "".join(f"größe {number}\n" for number in range(300)) + "ohne Ende ä"
    StorePaths(base).run(run_id).output.write_text(whole)
    start, parts = 0, []
    while True:
        part = reader.output(run_id, start=start, most=100)
        parts.append(part["text"])
        assert part["start"] == start
        start = part["end"]
        if start == part["size"]:
            break
    assert "".join(parts) == whole
    assert all(part.endswith("\n") for part in parts[:-1])
    assert json.dumps(reader.output(run_id, start=-20, most=100)["text"])
