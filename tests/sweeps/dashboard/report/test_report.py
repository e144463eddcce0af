"""report.html and report.md: complete, small, safe, and readable by who has neither podium nor scripts."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from chromium import Look, browser, needs_browser
from told import RATE, Told
from verdicts_made import KINDS, hostile, judge_winner

import sweeps.dashboard.report.pictures
from sweeps.cli.app import main
from sweeps.dashboard.report.report import report_of, warm_up, write_report
from tracking.files import write_json

HOSTILE = "</script><img src=x onerror=alert(1)>&\u2028`|*_[a](javascript:b)$x$@me #1"
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def make(store: Path, jobs: int = 3, **plan: Any) -> Told:
    """Write a sweep of so many jobs, of which the second fails where there are more than three."""
    told = Told(store, total=jobs, swept=(RATE, "model.name"), **plan)
    told.begin()
    for job in range(jobs):
        told.ask(job, **{RATE: 10.0 ** -(job % 5), "model.name": ["mlp", "dcn"][job % 2]})
        told.start(job, job, slot=job % 2)
        if job == 1 and jobs > 3:
            log = told.folder / "jobs" / "1" / "output.log"
            log.parent.mkdir(parents=True)
            log.write_text(f"epoch 1\n{HOSTILE}\nValueError: too large\n")
            told.finish(job, job + 1.5, "failed", error=f"ValueError: {HOSTILE}", reason="error")
            continue
        run = told.run_of(
            job, [0.5 + (job % 5) / 10 - 1 / (epoch + 3) for epoch in range(6)], rows=12, fingerprint="f"
        )
        run.log({"test_auc": 0.123456789}, step=6)
        run.finish()
        told.finish(job, job + 1.5, runs=[run.run_id], wall_s=1.5)
    told.tell(jobs + 2.0, "ended")
    return told


def facts_in(page: bytes) -> Any:
    found = re.search(rb'<script type="application/json" id="facts">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def text_of(markdown: bytes) -> str:
    return markdown.decode()


def test_the_report_is_two_files_in_the_folder_of_the_sweep(tmp_path: Path) -> None:
    told = make(tmp_path)
    made = write_report(told.folder)
    assert made.html == told.folder / "report.html"
    assert made.html.read_bytes().startswith(b"<!doctype html>")
    assert made.markdown.read_text().startswith("# Sweep 20260131-093000\n")
    assert not [path for path in told.folder.iterdir() if path.name.endswith(".tmp")]


def test_the_facts_lie_in_the_page_with_curves_and_importance(tmp_path: Path) -> None:
    page, _ = report_of(make(tmp_path, 25).folder)
    facts = facts_in(page)
    assert len(facts["curves"]["curves"]) == 24
    assert facts["importance"]["share"][RATE] > 0.5
    assert set(facts["jobs"]["metrics"]["test_auc"]) == {0.123457, None}
    assert len(facts["failures"]) == 1


def test_the_policy_names_the_one_script_of_the_page_and_lets_nothing_else_run(tmp_path: Path) -> None:
    page = report_of(make(tmp_path).folder)[0].decode()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert f"script-src 'sha256-{digest}';" in policy[1]
    assert policy[1].startswith("default-src 'none';")
    assert "unsafe" not in policy[1]


class Tags(HTMLParser):
    """The tags of a page with their attributes, those inside noscript included."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_names_with_markup_are_text_everywhere(tmp_path: Path) -> None:
    name = "a<b>&'\"`x"
    told = make(tmp_path, 5, name=name, command=("python", "app.py", "-m", f"x={HOSTILE}"))
    page, markdown = report_of(told.folder)
    tags = Tags(page).seen
    assert all(not any(key.startswith("on") for key in known) for _, known in tags)
    assert {known["src"][:11] for tag, known in tags if tag == "img" and known["src"]} <= {"data:image/"}
    assert [tag for tag, _ in tags].count("script") == 2
    assert any("onerror" in line for line in facts_in(page)["failures"][0]["lines"])
    code = re.findall(r"^(`{3,})sh\n(.*?)\n\1$", text_of(markdown), re.DOTALL | re.MULTILINE)
    outside = re.sub(r"^(`{3,})sh\n.*?\n\1$", "", text_of(markdown), flags=re.DOTALL | re.MULTILINE)
    assert any("onerror" in text for _, text in code)
    assert "<img" not in re.sub(r"\\<", "", outside)


def test_what_looks_secret_is_in_neither_file(tmp_path: Path) -> None:
    told = Told(tmp_path, command=("python", "app.py", "api_key=hunter2hunter2"), swept=("api_key",))
    told.ask(0, api_key="hunter2hunter2")
    log = told.folder / "jobs" / "0" / "output.log"
    log.parent.mkdir(parents=True)
    log.write_text("password=hunter2hunter2\n")
    told.finish(0, 1.0, "failed", error="password=hunter2hunter2", reason="error")
    assert all(b"hunter2" not in each for each in report_of(told.folder))


def test_the_markdown_has_the_ten_best_the_best_point_the_verdict_failures_and_the_command(
    tmp_path: Path,
) -> None:
    told = make(tmp_path, 25)
    verdict = {
        "model_name": "ctr",
        "promoted": True,
        "version": 3,
        "run": "run_005",
        "reasons": ["it is better"],
    }
    write_json(told.folder / "promotion.json", verdict)
    text = text_of(report_of(told.folder)[1])
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 12
    assert "... and 15 more jobs." in text
    assert f"{RATE}=0.0001\nmodel.name=mlp" in text
    assert "**Verdict.** Promoted: ctr has a new champion, version 3: it is better." in text
    assert "- job 1 failed: ValueError" in text
    assert "python -m app -m" in text
    assert "What decides: learning_rate" in text


def test_both_files_have_the_whole_verdict(tmp_path: Path) -> None:
    told = make(tmp_path)
    judge_winner(told.folder, "run_003", 0.575, KINDS["refused"])
    page, markdown = report_of(told.folder)
    assert "**Verdict.** ✗ v2 of ctr_model is not promoted over v1: auc is 0.7709" in text_of(markdown)
    assert "- Look: look 2 at these rows, judged at 0.76 % so that all looks together stay at 5 %" in text_of(
        markdown
    )
    assert "| auc better | no | 0.0123 | -0.0013 |" in text_of(markdown)
    assert "| latency_p95 not worse | yes | 0.2 ms | -0.4 ms |" in text_of(markdown)
    static = text_of(page).partition("<noscript>")[2].partition("</noscript>")[0]
    assert "<h2>Verdict on the winner</h2>" in static
    assert "<td>auc better</td><td>no</td>" in static
    for words in ("The challenger and the champion", "The gain of each rule"):
        assert re.search(rf'<img src="data:image/[^"]+" alt="{words}', static)
    curves = facts_in(page)["verdict"]["pictures"]["curves"]
    assert [len(each["fpr"]) for each in curves] == [101, 101]
    assert [each["fpr"][-1] for each in curves] == [1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_verdict_has_a_report(kind: str, tmp_path: Path) -> None:
    told = make(tmp_path)
    judge_winner(told.folder, "run_003", 0.575, KINDS[kind])
    page, markdown = report_of(told.folder)
    assert facts_in(page)["verdict"]["promote"] is KINDS[kind]["promote"]
    assert ("✓" if KINDS[kind]["promote"] else "✗") in text_of(markdown)


def test_a_hostile_verdict_is_text_in_both_files(tmp_path: Path) -> None:
    told = make(tmp_path)
    judge_winner(told.folder, "run_003", 0.575, hostile(HOSTILE))
    page, markdown = report_of(told.folder)
    tags = Tags(page).seen
    assert len([tag for tag, _ in tags if tag == "script"]) == 2
    assert all(known.get("src", "").startswith("data:image/") for tag, known in tags if tag == "img")
    assert "<img" not in text_of(markdown).replace("\\<", "")


def test_the_headline_says_where_points_come_from_and_a_column_has_equal_decimals(tmp_path: Path) -> None:
    told = make(tmp_path, search={"mode": "tpe", "schedule": "asha", "n_trials": 3})
    markdown = report_of(told.folder)[1]
    assert "learned from earlier jobs (tpe) and let only the better jobs train on (asha)" in text_of(markdown)
    assert "| 0.5750 |" in text_of(markdown)


def test_the_same_error_of_many_jobs_is_told_once(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.begin()
    for job in range(5):
        told.fail(job, "boom" if job else "bang", "the last line\n")
    page, markdown = report_of(told.folder)
    assert "- job 0 failed: bang\n- 4 jobs (1, 2, 3, 4) failed: boom\n" in text_of(markdown)
    assert page.count(b'<pre class="block">the last line</pre>') == 2


def test_a_sweep_without_a_ranked_job_has_a_report(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.begin()
    told.fail(0, "boom")
    page, markdown = report_of(told.folder)
    assert "No job has a rank." in text_of(markdown)
    assert facts_in(page)["jobs"]["rank"] == [None]


def test_a_sweep_without_any_job_has_a_report(tmp_path: Path) -> None:
    page, markdown = report_of(Told(tmp_path).folder)
    assert facts_in(page)["jobs"]["job"] == []
    assert "in 0 jobs" in text_of(markdown)


def test_many_jobs_stay_under_half_a_megabyte(tmp_path: Path) -> None:
    told = Told(tmp_path, total=500, swept=(RATE, "model.name", "model.depth"))
    for job in range(500):
        told.ask(
            job,
            **{RATE: 10.0 ** -(1 + 4 * job / 500), "model.name": f"name {job % 3}", "model.depth": job % 7},
        )
        told.finish(job, job, value={"val_auc": 1 / (job + 3.7)}, wall_s=3.21)
    assert len(report_of(told.folder)[0]) < 500_000
    told.run_of(0, [1 / 3.7]).finish()
    judge_winner(told.folder, "run_001", 1 / 3.7, KINDS["many_guards"])
    page = report_of(told.folder)[0]
    assert len(facts_in(page)["verdict"]["rules"]) == 13
    assert len(page) < 500_000


def test_the_winners_pictures_are_in_the_page_while_they_are_small(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.begin()
    run = told.job(0, 0.9)
    plots = told.store / "runs" / run / "artifacts" / "plots"
    plots.mkdir()
    (plots / "a_curve.png").write_bytes(DOT)
    (plots / "no_picture.png").write_text("<svg onload=alert(1)>")
    (plots / "damaged.png").write_bytes(DOT[:40])
    (plots / "drawing.svg").write_text("<svg/>")
    (plots / "link.png").symlink_to(plots / "a_curve.png")
    titles = [each["title"] for each in facts_in(report_of(told.folder)[0])["pictures"]]
    assert "a curve" in titles
    assert not {"no picture", "drawing", "link", "damaged"} & set(titles)


def test_without_matplotlib_the_page_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sweeps.dashboard.report.pictures, "missing", lambda _extra: "matplotlib is not installed"
    )
    page, _ = report_of(make(tmp_path).folder)
    assert b"There are no pictures of the charts: matplotlib is not installed." in page
    assert not [tag for tag, _ in Tags(page).seen if tag == "img"]


def test_a_matplotlib_that_cannot_be_loaded_costs_the_pictures_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    page, _ = report_of(make(tmp_path).folder)
    assert b"There are no pictures of the charts: matplotlib cannot be loaded: import of" in page
    assert facts_in(page)["pictures"] == []


@pytest.mark.parametrize("module", ["sklearn.ensemble", "numpy"])
def test_a_forest_that_cannot_be_grown_costs_what_decides_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    told = make(tmp_path, jobs=25)
    monkeypatch.setitem(sys.modules, module, None)
    warm_up(25)
    page, text = report_of(told.folder)
    assert "cannot be told yet: scikit-learn cannot be loaded: import of" in text.decode()
    assert "scikit-learn cannot be loaded" in facts_in(page)["importance"]["why"]
    assert len(facts_in(page)["jobs"]["job"]) == 25


def test_a_sweep_of_one_job_without_a_setting_is_a_whole_sentence(tmp_path: Path) -> None:
    told = Told(tmp_path, total=1, swept=())
    told.begin()
    told.ask(0)
    told.start(0, 0)
    told.finish(0, 1.5, runs=[told.run_of(0, [0.5]).run_id])
    told.tell(2.0, "ended")
    page, markdown = report_of(told.folder)
    assert "This sweep ran 1 job, by the " in markdown.decode()
    assert b"This sweep ran 1 job, by the " in page


def test_the_command_writes_the_report_and_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = make(tmp_path)
    assert main(["report", told.name, "--store", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {
        "sweep": told.name,
        "html": str(told.folder / "report.html"),
        "markdown": str(told.folder / "report.md"),
    }
    assert main(["report", "--store", str(tmp_path)]) == 0
    assert "report.html and report.md" in capsys.readouterr().out
    assert main(["report", "gone", "--store", str(tmp_path)]) == 1


def test_a_report_of_few_jobs_loads_no_scikit_learn_and_no_pandas(tmp_path: Path) -> None:
    told = make(tmp_path)
    code = (
        "import sys; from pathlib import Path; from sweeps.dashboard.report.report import write_report;"
        f"write_report(Path({str(told.folder)!r}));"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sklearn", "pandas", "torch", "hydra", "omegaconf"} & set(answer.stdout.split())


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The reports of a small and of a larger sweep, the latter with hostile texts."""
    return {jobs: write_report(make(tmp_path_factory.mktemp("store"), jobs).folder).html for jobs in (3, 25)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@needs_browser
@pytest.mark.parametrize("jobs", [3, 25])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_all_sections_offline_and_without_a_fault(
    chromium: Any, pages: dict[int, Path], jobs: int, scheme: str
) -> None:
    look = Look(chromium, pages[jobs], color_scheme=scheme)
    look.page.wait_for_selector("[data-ready=report]")
    titles = look.page.locator("#report h2").all_inner_texts()
    wanted = [
        "Best so far",
        "Learning curves",
        "Settings and results",
        "What decides",
        "Slots over time",
        "Failures",
        "Leaderboard",
    ]
    assert [title for title in wanted if title not in titles] == []
    assert (look.faults, look.elsewhere) == ([], [])
    assert look.page.locator("img[src=x]").count() == 0
    look.context.close()


@needs_browser
def test_a_phone_scrolls_down_alone(chromium: Any, pages: dict[int, Path]) -> None:
    look = Look(chromium, pages[25], viewport={"width": 375, "height": 800})
    look.page.wait_for_selector("[data-ready=report]")
    assert look.page.evaluate("document.documentElement.scrollWidth") == 375
    look.context.close()


@needs_browser
def test_without_scripts_there_are_pictures_and_the_leaderboard(
    chromium: Any, pages: dict[int, Path]
) -> None:
    look = Look(chromium, pages[25], scripts=False)
    pictures = look.page.locator("noscript img, .static-report img")
    assert pictures.count() == 6
    assert look.page.locator(".static-report table tbody tr").count() == 25
    assert "ValueError" in look.page.locator(".static-report").inner_text()
    assert look.elsewhere == []
    look.context.close()
