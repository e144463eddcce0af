"""The benchmarks run, and measure the tracker's own stores. No time is asserted."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report, workload
from benchmarks.command import MEASURES, main
from benchmarks.contestants import MLFLOW, PINS, PODIUM, DriverError, Module
from benchmarks.figures import Chapter, Figure, as_text, figure
from benchmarks.plan import Plan, Size
from benchmarks.promotion import tables
from tracking import ExperimentTracker

ROOT = Path(__file__).resolve().parent.parent


def measured(tmp_path: Path, *names: str) -> dict[str, Chapter]:
    out = tmp_path / "figures.json"
    assert main([*names, "--tiny", "--no-peers", "--json", str(out)]) == 0
    return {data["name"]: Chapter.of(data) for data in json.loads(out.read_text())["chapters"]}


def test_the_command_measures_and_prints_a_table(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "log", "--tiny", "--no-peers", "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(r"podium / bare write +podium +[\d.,]+", done.stdout)
    (chapter,) = json.loads(out.read_text())["chapters"]
    assert all(each["best"] > 0 for each in chapter["figures"])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", MEASURES)
def test_every_benchmark_gives_its_figures_without_the_peers(tmp_path: Path, name: str) -> None:
    figures = measured(tmp_path, name)[name].figures
    assert figures
    assert [each for each in figures if each.best is None] == []


def test_a_generated_store_is_one_of_the_trackers_own(tmp_path: Path) -> None:
    PODIUM.ask("fill", tmp_path, 3)
    runs = ExperimentTracker(tmp_path).records(workload.EXPERIMENT)
    assert [run.run_id for run in runs] == ["run_001", "run_002", "run_003"]
    for number, run in enumerate(runs):
        assert run.status == "completed"
        assert run.params == workload.params(number)
        assert run.tags == workload.tags(number)
        assert {name: each.last for name, each in run.summary.items()} == workload.results(number)
        assert {each.count for each in run.summary.values()} == {workload.CURVE_STEPS}


def test_a_peer_that_is_not_installed_is_skipped_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.contestants.ENVIRONMENTS", tmp_path / "nowhere")
    plan = Plan(tmp_path, Size.TINY)
    (answers,) = plan.side_by_side("log", {MLFLOW: 1}).values()
    (figure,) = answers.figures({"us_per_step": "a step"})
    assert figure == Figure(
        "a step", MLFLOW.title, "us", note="skipped: not installed (python -m benchmarks setup)"
    )


def test_a_driver_that_fails_is_reported_with_its_exception(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="podium, nonsense: exit code 1, KeyError: 'nonsense'"):
        PODIUM.ask("nonsense", tmp_path)


def test_an_unknown_benchmark_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["logs"])
    assert (
        "there is no benchmark 'logs'; there are sweep, training, start, log, best" in capsys.readouterr().err
    )


def test_every_peer_is_pinned_and_none_brings_torch() -> None:
    for module in Module:
        if not module.is_ours:
            pins = (PINS / f"{module}.txt").read_text().split()
            assert all("==" in pin for pin in pins)
            assert not [pin for pin in pins if pin.partition("==")[0].lower() == "torch"]
            assert module.version


def test_ratios_are_to_podiums_figure_of_the_same_case() -> None:
    chapter = Chapter(
        "log",
        "steps",
        (
            figure("a", "podium", "us", [3.0, 2.0, 4.0], target=2.5),
            figure("a", "MLflow", "us", [30.0, 20.0]),
            figure("b", "MLflow", "us", [1.0]),
            figure("c", "podium", "us", [9.0], target=2.5),
            Figure("a", "Trackio", "us", note="skipped"),
        ),
    )
    assert [chapter.ratio(each) for each in chapter.figures] == [None, 10.0, None, None, None]
    assert [each.verdict for each in chapter.figures] == ["ok", "", "", "over", ""]
    assert [each.median for each in chapter.figures[:2]] == [3.0, 25.0]
    assert "skipped" in as_text(chapter)
    assert Chapter.of(json.loads(json.dumps(chapter.data()))) == chapter


def results() -> dict[str, Any]:
    figures = (
        figure("first in a process, 1,000 runs", "podium", "ms", [2.0]),
        figure("first in a process, 1,000 runs", "MLflow (SQLite)", "ms", [30.0]),
    )
    machine = {"processor": "CPU", "file system": "ext4 (the stores)", "date": "2024-11-15", "mlflow": "1.2"}
    return {"machine": machine, "size": "usual", "chapters": [Chapter("best", "best run", figures).data()]}


def test_the_page_and_the_readme_quote_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme, page = tmp_path / "README.md", tmp_path / "benchmarks.md"
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    for name, path in (("README", readme), ("PAGE", page), ("ROOT", tmp_path)):
        monkeypatch.setattr(report, name, path)
    report.write(results(), with_readme=False)
    assert "old" in readme.read_text()
    report.write(results(), with_readme=True)
    row = "| best of 1,000 runs, new process | 2 ms | 30 ms (15x) |"
    assert row in page.read_text()
    assert row in readme.read_text()
    assert readme.read_text().startswith("before\n")
    assert readme.read_text().endswith("\nafter\n")
    assert "old" not in readme.read_text()


def test_the_page_has_a_table_of_sweeps_where_these_were_measured() -> None:
    both = results()
    figures = (
        figure("each further job", "podium", "ms", [10.0]),
        figure("each further job", "joblib launcher", "ms", [60.0]),
        figure("each further job: podium / joblib launcher", "podium", "x", [0.17], target=0.33),
    )
    both["chapters"].append(Chapter("jobs", "jobs that do nothing", figures).data())
    table = report.short(both)
    assert "|  | podium | joblib launcher |" in table
    assert "| each further job | 10 ms | 60 ms (6x) |" in table
    assert "podium / joblib" not in table


def test_figures_of_several_times_are_reported_with_the_time_of_each() -> None:
    early, late = results(), results()
    early["machine"] = {"date": "2024-11-15", "commit": "aaa", "processor": "CPU"}
    late["machine"] = {"date": "2024-11-16", "commit": "bbb", "processor": "CPU"}
    late["chapters"] = [Chapter("log", "steps", ()).data()]
    both = report.merged([early, late])
    assert [chapter["name"] for chapter in both["chapters"]] == ["best", "log"]
    assert both["machine"]["figures of `log`"] == "date 2024-11-16, commit bbb"
    assert both["machine"]["figures of `best`"] == "date 2024-11-15, commit aaa"
    assert report.merged([late])["machine"] == late["machine"]


def test_a_readme_without_markers_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("text\n")
    for name, path in (("README", readme), ("PAGE", tmp_path / "page.md"), ("ROOT", tmp_path)):
        monkeypatch.setattr(report, name, path)
    with pytest.raises(SystemExit, match=r"README\.md has no line"):
        report.write(results(), with_readme=True)
    assert readme.read_text() == "text\n"


def test_the_sizes_of_all_extras_are_told_and_what_is_not_installed_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["sizes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    sizes = {line.split()[0]: float(line.split()[1].replace(",", "")) for line in lines}
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert sizes.keys() == {"none", *known} - {"test", "dev"}
    assert 1 < sizes["none"] < sizes["dashboard"] < sizes["sweeps"] < sizes["search"]
    # what each package has counts once, and one that another folder has is found there
    folder = tmp_path / "mlflow_skinny-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: mlflow-skinny\nVersion: 1\n")
    (folder / "RECORD").write_text("mlflow/large.bin,,\n")
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "large.bin").write_bytes(bytes(30_000_000))
    assert main(["sizes", "--also", str(tmp_path)]) == 0
    more = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    if "not found: mlflow-skinny" in next(line for line in lines if line.startswith("mlflow ")):
        assert "not found" not in more["mlflow"]
        assert float(more["mlflow"].split()[1]) == pytest.approx(sizes["mlflow"] + 30, abs=1)
    assert more["sweeps"] == next(line for line in lines if line.startswith("sweeps "))


def test_the_pages_show_the_figures_of_the_simulations_that_are_kept() -> None:
    shown = set()
    for path in tables.PAGES:
        text = path.read_text()
        assert tables.with_tables(text, tables.kept()) == text, path.name
        shown |= set(re.findall(r"<!-- promotion: (\w+) -->", text))
    assert shown == set(tables.TABLES)
    assert tables.with_tables(report.TEMPLATE.read_text(), tables.kept()) != report.TEMPLATE.read_text()


def test_the_kept_simulations_say_what_the_gate_promises() -> None:
    kept = tables.kept()
    shares = kept["best"]["shares"]
    assert shares["bound_chosen"] > 0.25
    assert shares["bound_fresh"] < 0.06
    for way in ("counted", "planned"):
        assert kept["looks"]["shares"][way][9] <= kept["looks"]["shares"][way][51] <= 0.05
    assert all(
        0.93 <= each["held"] <= 0.98 for each in kept["coverage"] if each["of"] != "ten rows of each user"
    )
    assert all(0.75 <= each["share"] <= 0.85 for each in kept["rows"]["checked"])


def test_a_simulation_gives_the_same_figures_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["promotion", "best", "looks", "--times", "2"]) == 0
    first = capsys.readouterr().out
    assert main(["promotion", "best", "looks", "--times", "2"]) == 0
    assert capsys.readouterr().out == first
    assert "| the bound of the gain at 5 % |" in first


def test_the_pictures_of_promotion_are_drawn_small_and_those_of_the_page(tmp_path: Path) -> None:
    assert main(["pictures", "--only", "promotion", "--to", str(tmp_path)]) == 0
    drawn = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(drawn) == set(re.findall(r"pictures/(promotion-\w+\.png)", tables.PAGES[0].read_text()))
    assert max(drawn.values()) < 80_000


@pytest.mark.exhaustive
def test_a_sweep_runs_on_simulated_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines", "scale", "--nodes", "3", "--jobs", "9"]) == 0
    out = capsys.readouterr().out
    assert "9 jobs on 3 simulated nodes" in out
    assert re.search(r"ledger +[1-9]\d+ bytes a job", out)
    assert re.search(r"store, per job with a run +[1-9]\d* files", out)
