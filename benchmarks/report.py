"""The page and README's short table, from the figures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.contestants import ROOT
from benchmarks.figures import COLUMNS, Chapter, Figure, as_markdown, number, rows

PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
TEMPLATE = ROOT / "benchmarks" / "page.md"
WHEN = ("date", "commit", "load average at the start")
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
PEERS = ("podium", "bare write", "Trackio", "TensorBoard", "W&B offline", "MLflow (SQLite)")
SWEEPS = ("jobs", "slots")
VERSIONS = {
    "podium": "podium",
    "trackio": "Trackio",
    "tensorboard": "TensorBoard",
    "wandb": "W&B",
    "mlflow": "MLflow",
}


def merged(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One set of figures of several; the later ones win. The machine is that of the first, and says which came when."""
    chapters = {chapter["name"]: chapter for result in results for chapter in result["chapters"]}
    source = {chapter["name"]: result["machine"] for result in results for chapter in result["chapters"]}
    facts = dict(results[0]["machine"])
    if len(results) > 1:
        for name, machine in source.items():
            told = (f"{key} {machine[key]}" for key in WHEN if key in machine)
            facts[f"figures of `{name}`"] = ", ".join(told)
        facts = {key: value for key, value in facts.items() if key not in WHEN[1:]}
    return {**results[0], "machine": facts, "chapters": list(chapters.values())}


def write(results: dict[str, Any], *, with_readme: bool) -> None:
    """Write docs/benchmarks.md; with `with_readme`, replace what stands between README's markers too."""
    PAGE.write_text(page(results))
    print(f"wrote {PAGE.relative_to(ROOT)}")
    if with_readme:
        before, _, rest = README.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        if not rest:
            raise SystemExit(f"{README.name} has no line {BEGIN} to {END}; add both where the table belongs")
        README.write_text(f"{before}{short(results)}{after}")
        print(f"wrote {README.name}")


def page(results: dict[str, Any]) -> str:
    """Return the whole page."""
    facts = as_markdown(("measured on", ""), results["machine"].items())
    chapters = "\n".join(_section(chapter) for chapter in _chapters(results))
    return TEMPLATE.read_text().format(short=short(results), facts=facts, chapters=chapters)


def short(results: dict[str, Any]) -> str:
    """Return README's table with its markers: podium beside its peers, one line per question that a peer answered."""
    chapters = {chapter.name: chapter for chapter in _chapters(results)}
    questions = [
        (chapters[name], case, title)
        for name, case, title in (
            ("log", "step of 3 metrics, close included", "log a step of 3 metrics"),
            *_shared(chapters.get("best"), "first in a process", "best of {} runs, new process"),
            *_shared(chapters.get("best"), "again", "the same, again"),
            *_shared(chapters.get("table"), "first in a process", "table of {} runs x 18 values"),
        )
        if name in chapters and any(_figure(chapters[name], case, peer) for peer in PEERS[2:])
    ]
    peers = [who for who in PEERS if any(_figure(chapter, case, who) for chapter, case, _ in questions)]
    lines = [
        [title, *(_cell(_figure(chapter, case, who), chapter) for who in peers)]
        for chapter, case, title in questions
    ]
    facts = results["machine"]
    versions = ", ".join(f"{name} {facts[key]}" for key, name in VERSIONS.items() if key in facts)
    where = (
        f"{facts['processor']}, {facts['file system'].partition(' ')[0]}, {facts['date'][:10]}; {versions}"
    )
    tables = [as_markdown(("", *peers), lines), "", *_of_sweeps(chapters), f"{where}."]
    return "\n".join([BEGIN, *tables, END])


def _of_sweeps(chapters: Mapping[str, Chapter]) -> list[str]:
    """Return what sweeps cost beside their jobs, one line per question; nothing when that was not measured."""
    asked = [
        (chapter, figure.case)
        for name in SWEEPS
        if (chapter := chapters.get(name)) is not None
        for figure in chapter.figures
        if figure.who == "podium" and figure.unit != "x"
    ]
    if not asked:
        return []
    who = list(
        dict.fromkeys(figure.who for chapter, _ in asked for figure in chapter.figures if figure.unit != "x")
    )
    lines = [
        [case, *(_cell(_figure(chapter, case, each), chapter) for each in who)] for chapter, case in asked
    ]
    return [as_markdown(("", *who), lines), ""]


def _shared(chapter: Chapter | None, start: str, title: str) -> Iterable[tuple[str, str, str]]:
    """Return the cases that peers were asked too, with the number of runs in the title."""
    if chapter is None:
        return
    cases = {
        figure.case for figure in chapter.figures if figure.who != "podium" and figure.case.startswith(start)
    }
    for case in sorted(cases):
        yield chapter.name, case, title.format(case.removesuffix(" runs").rpartition(" ")[2])


def _chapters(results: dict[str, Any]) -> list[Chapter]:
    return [Chapter.of(chapter) for chapter in results["chapters"]]


def _section(chapter: Chapter) -> str:
    return f"### {chapter.name}: {chapter.title}\n\n{as_markdown(COLUMNS, rows(chapter))}\n"


def _figure(chapter: Chapter, case: str, who: str) -> Figure | None:
    return next((figure for figure in chapter.figures if (figure.case, figure.who) == (case, who)), None)


def _cell(figure: Figure | None, chapter: Chapter) -> str:
    if figure is None or figure.best is None:
        return "-"
    unit = "µs" if figure.unit == "us" else figure.unit
    ratio = chapter.ratio(figure)
    return f"{number(figure.best)} {unit}" + (f" ({number(ratio)}x)" if ratio and ratio > 1 else "")
