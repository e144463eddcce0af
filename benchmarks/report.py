"""The page of the benchmarks and README's short table, from the figures."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.contestants import ROOT
from benchmarks.figures import COLUMNS, Chapter, Figure, as_markdown, number, rows
from benchmarks.promotion import tables as promotion

PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
TEMPLATE = ROOT / "benchmarks" / "page.md"
WHEN = ("date", "commit", "load average at the start")
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
TRACKERS = ("podium", "bare write", "Trackio", "TensorBoard", "W&B offline", "MLflow (SQLite)")
TRAINING = ("sweep",)
SWEEPS = ("jobs", "slots")
VERSIONS = {
    "podium": "podium",
    "trackio": "Trackio",
    "tensorboard": "TensorBoard",
    "wandb": "W&B",
    "mlflow": "MLflow",
}

Question = tuple[Chapter, str, str]  # where its figures are, their case, the title of its line


def merged(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one set of figures of several; the later ones win.

    The machine is that of the first, and says when each benchmark was measured.
    """
    chapters = {chapter["name"]: chapter for result in results for chapter in result["chapters"]}
    source = {chapter["name"]: result["machine"] for result in results for chapter in result["chapters"]}
    facts = dict(results[0]["machine"])
    if len(results) > 1:
        facts = {key: value for key, value in facts.items() if key not in WHEN[1:]}
        for name, machine in source.items():
            facts[f"figures of `{name}`"] = ", ".join(
                f"{key} {machine[key]}" for key in WHEN if key in machine
            )
    return {**results[0], "machine": facts, "chapters": list(chapters.values())}


def write(results: dict[str, Any], *, with_readme: bool) -> None:
    """Write docs/benchmarks.md; with `with_readme`, replace the text between README's markers too."""
    PAGE.write_text(page(results))
    print(f"wrote {PAGE.relative_to(ROOT)}")
    if with_readme:
        before, _, rest = README.read_text().partition(BEGIN)
        if not rest:
            raise SystemExit(f"{README.name} has no line {BEGIN} to {END}; add both where the table belongs")
        README.write_text(f"{before}{short(results)}{rest.partition(END)[2]}")
        print(f"wrote {README.name}")


def page(results: dict[str, Any]) -> str:
    """Return the whole page."""
    facts = as_markdown(("measured on", ""), results["machine"].items())
    sections = [
        f"### {chapter.name}: {chapter.title}\n\n{as_markdown(COLUMNS, rows(chapter))}\n"
        for chapter in map(Chapter.of, results["chapters"])
    ]
    text = TEMPLATE.read_text().format(short=short(results), facts=facts, chapters="\n".join(sections))
    return promotion.with_tables(text, promotion.kept())


def short(results: dict[str, Any]) -> str:
    """Return README's tables with their markers: podium beside a script, other trackers, and other launchers."""
    chapters = {chapter["name"]: Chapter.of(chapter) for chapter in results["chapters"]}
    trackers = list(_of_trackers(chapters))
    training, sweeps = _of_podium(chapters, TRAINING, others=True), _of_podium(chapters, SWEEPS)
    facts = results["machine"]
    versions = ", ".join(f"{name} {facts[key]}" for key, name in VERSIONS.items() if key in facts)
    where = f"{facts['processor']}, {facts['file system'].partition(' ')[0]}, {facts['date'][:10]}"
    tables = [*_table(training, _who(training)), *_table(trackers, TRACKERS), *_table(sweeps, _who(sweeps))]
    return "\n".join([BEGIN, *tables, f"{where}; {versions}.", END])


def _of_podium(
    chapters: Mapping[str, Chapter], names: Sequence[str], *, others: bool = False
) -> list[Question]:
    """Return the questions of some chapters that podium answered; those that `others` answered, too, if asked for."""
    return [
        (chapters[name], figure.case, figure.case)
        for name in names
        if name in chapters
        for figure in chapters[name].figures
        if figure.who == "podium" and figure.unit != "x"
        if not others
        or any(each.case == figure.case and each is not figure for each in chapters[name].figures)
    ]


def _who(questions: Sequence[Question]) -> list[str]:
    return list(dict.fromkeys(figure.who for chapter, _, _ in questions for figure in chapter.figures))


def _of_trackers(chapters: Mapping[str, Chapter]) -> Iterator[Question]:
    """Return the questions that a peer answered, each with the number of runs in its title."""
    for name, start, title in (
        ("log", "step of 3 metrics, close included", "log a step of 3 metrics"),
        ("best", "first in a process", "best of {} runs, new process"),
        ("best", "again", "the same, again"),
        ("table", "first in a process", "table of {} runs x 18 values"),
    ):
        if chapter := chapters.get(name):
            cases = {each.case for each in chapter.figures if each.who in TRACKERS[2:]}
            for case in sorted(case for case in cases if case.startswith(start)):
                yield chapter, case, title.format(case.removesuffix(" runs").rpartition(" ")[2])


def _table(questions: Sequence[Question], order: Sequence[str]) -> list[str]:
    """Return a line per question, a column for each who answered one, and an empty line; nothing without questions."""
    if not questions:
        return []
    who = [each for each in order if any(_figure(chapter, case, each) for chapter, case, _ in questions)]
    lines = [[title, *(_cell(chapter, case, each) for each in who)] for chapter, case, title in questions]
    return [as_markdown(("", *who), lines), ""]


def _figure(chapter: Chapter, case: str, who: str) -> Figure | None:
    return next((figure for figure in chapter.figures if (figure.case, figure.who) == (case, who)), None)


def _cell(chapter: Chapter, case: str, who: str) -> str:
    figure = _figure(chapter, case, who)
    if figure is None or figure.best is None:
        return "-"
    unit = "µs" if figure.unit == "us" else figure.unit
    ratio = chapter.ratio(figure)
    return f"{number(figure.best)} {unit}" + (f" ({number(ratio)}x)" if ratio and ratio > 1 else "")
