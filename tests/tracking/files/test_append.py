"""JSON lines: appended whole, cut to whole lines after a crash."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking.files import append_line, read_lines


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.integers(), max_size=5), cut=st.integers(0, 200))
def test_appended_lines_survive_any_cut_up_to_the_last_whole_one(
    tmp_path: Path, lines: list[int], cut: int
) -> None:
    path = tmp_path / "log.jsonl"
    path.unlink(missing_ok=True)
    for number in lines:
        append_line(path, {"n": number % 2**60})
    whole = path.read_bytes() if lines else b""
    path.write_bytes(whole[: len(whole) - cut] if cut <= len(whole) else b"")
    # an object without its newline is whole
    left = path.read_bytes()
    kept = left.count(b"\n") + left.endswith(b"}")
    assert len(list(read_lines(path))) == kept
    append_line(path, {"n": -1})
    assert [line["n"] for line in read_lines(path)] == [number % 2**60 for number in lines[:kept]] + [-1]
