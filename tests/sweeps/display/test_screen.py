"""A log as a terminal would show it, however it was written and however long it is."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.display import screen
from sweeps.display.screen import Screen, lines_of

ESC = "\x1b"


def shown(text: str | bytes) -> list[str]:
    """What a screen shows of a text that is fed at once."""
    display = Screen()
    return [*display.feed(text.encode() if isinstance(text, str) else text), *display.close()]


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\nb", ["a", "b"]),
        ("\n\na\n\n", ["", "", "a", ""]),
        ("", []),
        ("windows\r\nlines\r\n", ["windows", "lines"]),
        ("step 1\rstep 2\rstep 3", ["step 3"]),
        ("step 1\rstep 2\r", ["step 2"]),
        ("longer line\rshort\n", ["shortr line"]),
        (f"longer line\r{ESC}[Kshort\n", ["short"]),
        (f"longer line\r{ESC}[2Kshort\n", ["short"]),
        (f"abcdef\b\b\b{ESC}[1Kx\n", ["   xef"]),
        ("10%\b\b\b20%\b\b\b30%\n", ["30%"]),
        (f"{ESC}[32mgreen{ESC}[0m and {ESC}[1;31mred{ESC}[m\n", ["green and red"]),
        (f"a{ESC}]0;title\x07b{ESC}]52;c;cHduCg=={ESC}\\c\n", ["abc"]),
        (f"a{ESC}P1$r0m{ESC}\\b{ESC}_x{ESC}\\c{ESC}(B{ESC}=d\n", ["abcd"]),
        ("a\x9b31mb\x9d0;title\x9cc\x07\x00\x0b\x7fd\n", ["abcd"]),
        (f"half a title {ESC}]0;", ["half a title 0;"]),
        (f"col{ESC}[10Gten{ESC}[3D{ESC}[2CX{ESC}[1GC\n", ["Col      teX"]),
        (f"one\ntwo\n{ESC}[2A{ESC}[Jthree\n", ["three"]),
        (f"one\ntwo\nthree\n{ESC}[2FTWO\n{ESC}[1ETHREE", ["one", "TWO", "three", "THREE"]),
        ("a\tb\n", ["a\tb"]),
        ("caf\u00e9 \u2588\u258f 100%\n", ["caf\u00e9 \u2588\u258f 100%"]),
        (b"broken \xff\xfe\n", ["broken \ufffd\ufffd"]),
    ],
)
def test_each_movement_is_followed_and_other_sequences_are_left_out(
    written: str | bytes, lines: list[str]
) -> None:
    assert shown(written) == lines


def test_nested_bars_of_tqdm_are_one_line_each() -> None:
    written = ""
    for outer in range(3):
        for inner in range(50):
            written += f"\router {outer}/3\n\rinner {inner}/50 |{'#' * (inner // 10):<5}|{ESC}[A"
        written += f"\n\r{' ' * 20}\r{ESC}[A"  # the inner bar ends without a trace
    assert shown(f"begin\n{written}\router 3/3\n\nend\n") == ["begin", "outer 3/3", "", "end"]


def test_a_live_display_of_rich_is_its_last_frame() -> None:
    again = f"\r{ESC}[2K{ESC}[1A{ESC}[2K"
    frames = [
        f"{ESC}[?25l\u280b working {number}\n{ESC}[35m\u2501\u2501{ESC}[0m {number}%" for number in range(100)
    ]
    written = again.join(frames)
    assert shown(f"{written}\n{ESC}[?25hdone\n") == ["\u280b working 99", "\u2501\u2501 99%", "done"]


moves = st.sampled_from(
    ["\n", "\r", "\b", f"{ESC}[A", f"{ESC}[K", f"{ESC}[2K", f"{ESC}[31m", "ab", "xyz", "\t", " ", "\u00e9"]
)


@given(st.lists(moves, max_size=40), st.integers(1, 9))
def test_how_a_log_is_cut_into_reads_changes_nothing(parts: list[str], size: int) -> None:
    data = "".join(parts).encode()
    display = Screen()
    lines = [line for start in range(0, len(data), size) for line in display.feed(data[start : start + size])]
    assert [*lines, *display.close()] == shown(data)


@given(st.lists(moves, max_size=40))
def test_no_control_character_is_ever_shown(parts: list[str]) -> None:
    lines = shown("".join(parts) + f"{ESC}]2;{ESC}[{ESC}\x9b\x07")
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", "".join(lines))


@given(st.lists(moves, max_size=40), st.integers(0, 6))
def test_the_last_lines_are_the_end_of_all_lines(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], last: int
) -> None:
    log = tmp_path_factory.getbasetemp() / "log"
    log.write_bytes("".join(parts).encode())
    every = list(lines_of(log))
    assert list(lines_of(log, last)) == (every[-last:] if last else [])


def test_the_last_lines_of_a_long_log_are_found_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(200_000)))
    assert list(lines_of(log, 3)) == ["line 199997", "line 199998", "line 199999"]
    assert len(list(lines_of(log, 150_000))) == 150_000
    with log.open("rb") as stream:
        assert screen.start_of(stream, 3) > log.stat().st_size - 100


@pytest.mark.parametrize("last", [2, 4, None])
@pytest.mark.parametrize("kind", ["plain", "erasing", "nested"])
def test_the_states_of_a_long_bar_are_one_line_and_the_lines_around_it_stay(
    tmp_path: Path, kind: str, last: int | None
) -> None:
    form = {
        "plain": "\rstep {0} of many",
        "erasing": f"\r{ESC}[2K{ESC}[32mstep {{0}} of many{ESC}[0m",
        "nested": f"\rstep {{0}} of many\n\rinner {{0}}{ESC}[A",
    }[kind]
    with (tmp_path / "log").open("w") as log:
        log.write("first\nsecond\n")
        log.writelines(form.format(number) for number in range(100_000))
        log.write("\n\ndone\n" if kind == "nested" else "\ndone\n")
    bars = ["step 99999 of many", *(["inner 99999"] if kind == "nested" else [])]
    every = ["first", "second", *bars, "done"]
    assert list(lines_of(tmp_path / "log", last)) == (every if last is None else every[-last:])


def test_lines_that_are_printed_above_a_bar_all_stay(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stream:
        for number in range(60_000):
            stream.write(f"\r{ESC}[2Kbar {number} {'=' * 40}")
            if number % 100 == 0:
                stream.write(f"\r{ESC}[2Kepoch {number // 100}\n")
    lines = list(lines_of(log))
    assert lines[:600] == [f"epoch {number}" for number in range(600)]
    assert lines[600:] == [f"bar 59999 {'=' * 40}"]
    assert list(lines_of(log, 4)) == lines[-4:]


def test_a_line_without_an_end_is_cut_and_held_in_little_memory(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        stream.write(b"head\n")
        for _ in range(32):
            stream.write(b"x" * (1 << 20))
        stream.write(b"\n")
        for number in range(32):
            stream.write(b"\rstate %d" % number * (1 << 16))
    code = (
        "import resource, sys; from pathlib import Path; from sweeps.display.screen import lines_of; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; lines = list(lines_of(Path(sys.argv[1]), 5)); "
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "print(after - before, *(len(line) for line in lines), lines[-1])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(log)], capture_output=True, text=True, check=True
    )
    grown_kib, *rest = answer.stdout.split(maxsplit=4)
    assert rest == ["4", str(screen.WIDEST), "8", "state 31\n"]
    assert int(grown_kib) < 40_000


def test_any_bytes_are_shown_somehow(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for seed in range(20):
        log.write_bytes(random.Random(seed).randbytes(50_000))
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", "".join(lines_of(log)))
        assert len(list(lines_of(log, 5))) <= 5
