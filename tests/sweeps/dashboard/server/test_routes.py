"""Every address of the dashboard, with what it takes and with what it does not."""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import forked
import pytest
from quadratic import APP
from served import Served

from tracking import ExperimentTracker, ModelRegistry

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
PAGE = b"<script>alert(1)</script>"
HUGE = 300_000_000
ODD = "<img src=x onerror=alert(1)>"
SECRET = b"what lies outside of the run"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a sweep, a model, and a run of somebody who means no good."""
    folder = tmp_path_factory.mktemp("routes")
    words = ("-m", "x=1,2,3", "fault=none,raise", "hydra.sweeper.name=one", "hydra.launcher.n_jobs=2")
    forked.run(str(APP), *words, cwd=folder, env={**os.environ, "PYTHONPATH": str(APP.parent)})
    store = folder / "experiments"
    tracker = ExperimentTracker(store)
    with tracker.start_run(
        "odd", params={ODD: ODD, "big": 2**60, "nan": math.nan}, tags={ODD: "&<>\"'"}
    ) as run:
        run.log({ODD: math.inf, "auc": math.nan, "score": 0.5}, step=2**60)
        for name, data in (("plot.png", PNG), ("page.html", PAGE), ("page.png", PAGE), ("image.svg", PAGE)):
            (folder / name).write_bytes(data)
            run.log_artifact(folder / name)
        artifacts = store / "runs" / run.run_id / "artifacts"
    (folder / "secret").write_bytes(SECRET)
    (artifacts / "link.png").symlink_to(folder / "secret")
    (artifacts / "up").symlink_to(folder)
    os.mkfifo(artifacts / "pipe")
    with (artifacts / "huge.bin").open("wb") as file:
        file.truncate(HUGE)
    (artifacts / 'a; b"é%41.txt').write_bytes(b"odd name")
    ModelRegistry(store).register(
        "net", run.run_id, files=["plot.png"], objective={"metric": "score", "mode": "max", "value": 0.5}
    )
    (store / "runs" / "linked").symlink_to(folder)
    (store / "sweeps" / "linked").symlink_to(store / "sweeps" / "one")
    return folder


@pytest.fixture(scope="module")
def run_id(folder: Path) -> str:
    (odd,) = [run["run_id"] for run in ExperimentTracker(folder / "experiments").list_runs("odd")]
    return odd


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    before = contents(folder / "experiments")
    with Served("--port", 0, cwd=folder) as served:
        yield served
        assert served.end()[2] == ""  # not one traceback
    assert contents(folder / "experiments") == before


def contents(store: Path) -> dict[str, tuple[int, int, str]]:
    """Every file and folder of a store, with its times and what is in it."""
    found = {}
    for path in sorted(store.rglob("*")):
        state = path.lstat()
        is_small = path.is_file() and not path.is_symlink() and state.st_size < 1 << 20
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if is_small else ""
        found[str(path)] = (state.st_mtime_ns, state.st_size, digest)
    return found


def test_the_stores_are_told_with_the_version(served: Served, folder: Path) -> None:
    told = served.api("stores")
    assert told["stores"] == [{"number": 0, "name": "experiments", "path": str(folder / "experiments")}]
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", told["version"])


def test_a_window_of_the_table_is_what_was_asked_for(served: Served) -> None:
    assert served.api("0/names")["total"] == 7
    told = served.api(
        "0/runs", filter="x >= 2", sort=["-x", "run_id"], columns=["x", "loss.min"], offset=1, limit=2
    )
    assert (told["total"], told["matching"], told["offset"]) == (7, 4, 1)
    assert told["values"][0] == [3, 2]
    assert [column["name"] for column in told["columns"]] == ["x", "loss.min"]
    assert served.api("0/runs", experiment="odd")["matching"] == 1
    assert all(group["n"] == 1 for group in served.api("0/runs", seeds=1, experiment="odd")["groups"])


def test_a_filter_that_is_wrong_comes_back_with_its_carets(served: Served) -> None:
    answer = served.ask("/api/0/runs?filter=" + quote("x = 2"))
    assert answer.status == 400
    assert "\n" not in answer.json["error"]
    assert "^" in answer.json["detail"]
    while_typing = served.api("0/runs", filter="x = 2", typing=1)
    assert while_typing == {"refused": answer.json}
    assert served.ask("/api/0/runs?limit=x&typing=1").status == 400


def test_curves_and_comparisons_take_names_with_commas(served: Served, run_id: str) -> None:
    runs = ["run_001", "run_002"]
    told = served.api("0/compare", runs=runs)
    assert [run["run_id"] for run in told["runs"]] == runs
    curves = served.api("0/curves", runs=runs, metrics=["loss"], x="time", most=100)["curves"]
    assert [(curve["run"], curve["total"]) for curve in curves] == [("run_001", 2), ("run_002", 2)]
    (curve,) = served.api("0/curves", runs=run_id, metrics=ODD)["curves"]
    assert curve["y"] == [None]


def test_numbers_that_json_or_javascript_lack_are_text(served: Served, run_id: str) -> None:
    told = served.api(f"0/run/{run_id}")
    assert told["params"] == {ODD: ODD, "big": str(2**60), "nan": "NaN"}
    metrics = {metric["name"]: metric for metric in told["metrics"]}
    assert metrics["auc"]["last"] == "NaN"
    assert metrics[ODD]["last"] == "Infinity"


def test_names_with_markup_are_data_and_nothing_else(served: Served, run_id: str) -> None:
    answer = served.ask(f"/api/0/run/{run_id}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    answer = served.ask("/api/0/run/" + quote(ODD))
    assert answer.status in (400, 404)
    assert answer.headers["content-type"] == "application/json"


def test_sweeps_are_listed_and_told_of(served: Served) -> None:
    told, damaged = served.api("0/sweeps")["sweeps"]
    assert damaged["sweep"] == "linked"
    assert "links are not followed" in damaged["error"]
    assert (told["sweep"], told["state"]) == ("one", "finished")
    facts = served.api("0/sweep/one")
    assert facts["counts"] == {"completed": 3, "failed": 3}
    assert facts["importance"] is None
    assert {failure["error"] for failure in facts["failures"]} == {"ValueError: no such luck"}


def test_the_importance_comes_from_a_process_of_its_own(served: Served) -> None:
    told = served.api("0/sweep/one/importance")["importance"]
    assert told["why"] == "3 of at least 20 jobs"
    assert served.api("0/sweep/one/importance")["importance"] == told
    of_runs = served.api("0/importance", filter="status == 'completed'", result="score")["importance"]
    assert of_runs["why"] == "1 of at least 20 runs"
    maps = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text()
    assert maps == ""


def test_the_log_of_a_job_is_its_last_lines(served: Served) -> None:
    jobs = [failure["job"] for failure in served.api("0/sweep/one")["failures"]]
    told = served.api(f"0/sweep/one/log/{jobs[0]}", most=3)
    assert told["job"] == jobs[0]
    assert len(told["lines"]) <= 3
    assert served.api("0/sweep/one/log/999")["lines"] == []


def test_models_are_told_of(served: Served, run_id: str) -> None:
    assert [model["name"] for model in served.api("0/models")["models"]] == ["net"]
    told = served.api("0/model/net")
    assert [version["run"] for version in told["versions"]] == [run_id]
    whole = served.api("0/model/net/version/1")
    assert set(whole) == {"verdict", "number", "verdicts", "promoted_by", "code", "left_out"}
    assert (whole["number"], whole["verdicts"]) == (None, [])


@pytest.mark.parametrize("name", ["plot.png", "page.html", "page.png", "image.svg"])
def test_a_file_is_a_download_of_no_type(served: Served, run_id: str, name: str, folder: Path) -> None:
    answer = served.ask(f"/api/0/run/{run_id}/file/artifacts/{name}")
    assert answer.status == 200
    assert answer.body == (folder / name).read_bytes()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_a_picture_is_shown_and_what_only_looks_like_one_is_not(served: Served, run_id: str) -> None:
    answer = served.ask(f"/api/0/run/{run_id}/file/artifacts/plot.png?show=1")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["content-disposition"].startswith("inline")
    for name in ("page.png", "image.svg", "page.html", "huge.bin"):
        answer = served.ask(f"/api/0/run/{run_id}/file/artifacts/{name}?show=1")
        assert (answer.status, answer.headers["content-type"]) == (400, "application/json")


def test_an_odd_name_of_a_file_stays_within_its_header(served: Served, run_id: str) -> None:
    answer = served.ask(f"/api/0/run/{run_id}/file/artifacts/" + quote('a; b"é%41.txt'))
    assert answer.body == b"odd name"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a%3B%20b%22%C3%A9%2541.txt"


def test_a_huge_file_passes_through(served: Served, run_id: str) -> None:
    before = memory_mb(served)
    answer = served.ask(f"/api/0/run/{run_id}/file/artifacts/huge.bin")
    assert len(answer.body) == HUGE
    assert memory_mb(served) < before + 30


def memory_mb(served: Served) -> float:
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


@pytest.mark.parametrize(
    "path",
    [
        "../run_001/params.json", "..%2frun_001%2fparams.json", "%2e%2e/%2e%2e/%2e%2e/secret", "%2e%2e%2f%2e%2e%2fsecret",
        "artifacts/../../../../secret", "artifacts/..%2f..%2f..%2f..%2fsecret", "/etc/passwd", "%2fetc%2fpasswd",
        "artifacts/link.png", "artifacts/link.png?show=1", "artifacts/up/secret", "artifacts/up%2fsecret",
        "artifacts/pipe", "artifacts", "artifacts/", "", ".", "artifacts/%00", "artifacts/" + "a" * 5000, "a/" * 500,
        "artifacts\\plot.png", "artifacts/plot.png%00.txt", "artifacts//plot.png", "artifacts/./plot.png",
    ],
)  # fmt: skip
def test_no_file_but_those_of_a_run_is_given(served: Served, run_id: str, path: str) -> None:
    answer = served.ask(f"/api/0/run/{run_id}/file/{path}")
    assert answer.status == 404, answer.body
    assert SECRET not in answer.body
    assert answer.json["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("1/names", 404), ("-1/names", 404), ("x/names", 404), ("99999999999999999999/names", 404), ("0", 404), ("0/", 404),
        ("0/nothing", 404), ("", 404), ("stores/", 404),
        ("0/runs?limit=x", 400), ("0/runs?limit=-1", 400), ("0/runs?limit=5001", 400), ("0/runs?offset=1.5", 400),
        ("0/runs?offset=" + "9" * 400, 400), ("0/runs?seeds=yes", 400), ("0/runs?sort=" + quote("a b c ("), 400),
        ("0/runs?columns=" + quote("'"), 400), ("0/runs?filter=" + "(" * 500, 400), ("0/runs?" + "columns=a&" * 1001, 400),
        ("0/runs?filter=" + quote("x == '\x00'"), 200), ("0/runs?experiment=none", 200), ("0/runs?offset=1000000", 200),
        ("0/compare", 200), ("0/compare?runs=none", 200), ("0/compare?" + "runs=a&" * 1001, 400),
        ("0/curves", 200), ("0/curves?runs=none&metrics=loss", 404), ("0/curves?runs=run_001&metrics=none", 200),
        ("0/curves?runs=run_001&metrics=loss&x=y", 400), ("0/curves?runs=run_001&metrics=loss&most=-1", 400),
        ("0/run/none", 404), ("0/run/..", 400), ("0/run/%2e%2e", 400), ("0/run/..%2fsweeps", 404), ("0/run/", 404),
        ("0/run/linked", 503), ("0/run/%00", 400), ("0/run/run_001%0a", 400), ("0/run/" + "r" * 3000, 400),
        ("0/run/none/output", 404), ("0/run/run_001/output?start=x", 400), ("0/run/run_001/output?most=9999999", 400),
        ("0/run/run_001/files?folder=artifacts/none", 404), ("0/run/run_001/files?most=9999", 400),
        ("0/run/run_001/files?folder=artifacts", 200), ("0/run/run_001/files?folder=../..", 404),
        ("0/run/run_001/output?start=99999", 200), ("0/run/none/file/params.json", 404), ("0/run/run_001/file", 404),
        ("0/sweep/none", 404), ("0/sweep/..", 400), ("0/sweep/%2e%2e", 400), ("0/sweep/..%2fruns", 404), ("0/sweep/", 404),
        ("0/sweep/linked", 503), ("0/sweep/latest", 404), ("0/sweep/%00", 400), ("0/sweep/one/log/x", 404),
        ("0/sweep/one/log/-1", 404), ("0/sweep/one/log/0?most=100000", 400), ("0/sweep/none/importance", 404),
        ("0/importance", 400), ("0/importance?result=score&filter=)", 400), ("9/importance?result=score", 404),
        ("0/sweep/../importance", 400), ("0/sweep/none/log/1", 404), ("0/sweep/" + "s" * 3000, 400),
        ("0/model/net/version/1", 200), ("0/model/net/version/9", 404), ("0/model/net/version/x", 404),
        ("0/model/none/version/1", 404), ("0/model/../version/1", 400), ("0/model/%2e%2e/version/1", 400),
        ("0/model/none", 404), ("0/model/..", 400), ("0/model/%2e%2e", 400), ("0/model/%00", 400), ("0/model/", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_or_not_understood_is_a_sentence(served: Served, path: str, status: int) -> None:
    answer = served.ask(f"/api/{path}")
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    if status != 200:
        said = answer.json
        assert set(said) == {"error", "detail"}
        assert said["error"]
        assert "Traceback" not in json.dumps(said)


def test_long_answers_are_compressed_for_who_takes_it(served: Served) -> None:
    plain = served.ask("/api/0/sweep/one")
    packed = served.ask("/api/0/sweep/one", accept_encoding="br, gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body)
    assert {**packed.json, "as_of": ""} == {**plain.json, "as_of": ""}
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"


def test_a_browser_keeps_the_files_of_the_pages_until_they_change(served: Served) -> None:
    for path in ("/", "/assets/main.js", "/assets/vendor/uPlot.iife.min.js"):
        first = served.ask(path, accept_encoding="gzip")
        assert (first.status, first.headers["cache-control"]) == (200, "no-cache")
        again = served.ask(path, if_none_match=first.headers["etag"])
        assert (again.status, again.body) == (304, b"")
        assert served.ask(path, if_none_match='W/"of-an-older-version"').status == 200
        assert served.ask(path).body != first.body


def test_a_store_that_goes_and_comes_back_is_a_sentence_meanwhile(tmp_path: Path) -> None:
    store, away = tmp_path / "experiments", tmp_path / "away"
    with ExperimentTracker(store).start_run("x"):
        pass
    with Served("--port", 0, cwd=tmp_path) as served:
        assert served.api("0/runs")["total"] == 1
        store.rename(away)
        for path in ("run/run_001", "runs", "sweeps", "sweep/one", "models"):
            answer = served.ask(f"/api/0/{path}")
            assert (answer.status, f"the store {store} is gone" in str(answer)) == (410, True)
        away.rename(store)
        assert served.api("0/runs")["total"] == 1
        assert served.end()[2] == ""
