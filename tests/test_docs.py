"""The documents keep up with the project: links lead somewhere, the tree is the tree."""

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest
from test_architecture import ROOMS

from hydra_plugins.podium.config import PromotionConf, RulesConf
from tracking.gate.outcomes import NOT_WORSE, RERUN, ROWS, SLICE, SUPERIORITY, THRESHOLD
from tracking.records import MetricSummary, RunRecord
from tracking.statistics.measures import MEASURES

ROOT = Path(__file__).resolve().parent.parent
OUTCOMES = (SUPERIORITY, NOT_WORSE, SLICE, THRESHOLD, ROWS, RERUN)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_in_docs_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for page in ROOT.glob("docs/*.md"):
        assert f"docs/{page.name}" in readme


def test_the_readme_shows_every_top_level_folder_and_fits_in_200_lines() -> None:
    readme = (ROOT / "README.md").read_text()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {line.partition("/")[0] for line in tracked.splitlines() if "/" in line}
    for folder in folders - {".ci"}:
        assert re.search(rf"^{folder}/ +\S", readme, re.MULTILINE), f"README's tree lacks {folder}/"
    assert len(readme.splitlines()) < 200


def test_the_tree_of_the_architecture_page_is_the_tree_on_disk() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    shown, folders = set(), [""]
    for tree in re.findall(r"^```text\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for line in tree.splitlines():
            found = re.match(r"( *)([\w.]+/?)  +\S", line)
            assert found, f"no purpose beside the name: {line}"
            depth, name = len(found[1]) // 2, found[2]
            folders[depth + 1 :] = [f"{folders[depth]}{name}"]
            if not name.endswith("/"):
                shown.add(folders[depth + 1])
    packages = ("tracking", "sweeps", "trainer", "hydra_plugins")
    there = {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if path.stem not in {"__init__", "__main__", "version"}
    }
    assert shown == there


@pytest.mark.parametrize("package", ["tracking", "sweeps", "trainer"])
def test_the_import_table_of_the_architecture_page_is_the_one_that_holds(package: str) -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    section = page.partition(f"### {package}\n\n")[2].partition("\n\n")[0]
    rows = [re.findall(r"`([\w.]+)`", line) for line in section.splitlines()[2:]]
    ground = (
        {"paths", "version"} if package == "tracking" else set()
    )  # a sentence below the table is about these
    shown = {room: set(names) - ground for room, *names in rows}
    assert shown == {room: set(names.split()) - ground for room, names in ROOMS[package].items()}


def test_every_file_that_the_architecture_page_names_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    files = set(re.findall(r"`([\w./]+\.(?:py|md|yaml))`", page))
    assert len(files) > 30
    roots = [ROOT, ROOT / "tracking", ROOT / "sweeps"]  # a journey through a package names files below it
    assert {
        file for file in files if "NAME" not in file and not any((root / file).exists() for root in roots)
    } == set()


@pytest.mark.parametrize(
    "page", ["README.md", "docs/alerts.md", "docs/install.md", "docs/sweeps.md", "docs/tracking.md"]
)
def test_no_cell_of_a_table_has_20_words(page: str) -> None:
    rows = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("|")]
    cells = [cell for row in rows for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    assert len(cells) > 20
    assert [cell for cell in cells if len(cell.split()) >= 20] == []


def test_the_version_in_the_changelog_is_the_packages() -> None:
    from tracking.version import __version__

    changelog = (ROOT / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert "## [Unreleased]" in changelog
    assert not released or released[0] == __version__


def test_every_make_target_is_explained_by_make_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    for target in phony.split():
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), f"make {target} has no explanation"


@pytest.mark.parametrize("kind", [RunRecord, MetricSummary])
def test_the_reference_names_every_attribute_of_what_reading_gives(kind: type) -> None:
    (row,) = re.findall(
        rf"^\| `{kind.__name__}` \| (.*) \|$", (ROOT / "docs/tracking.md").read_text(), re.MULTILINE
    )
    assert {field.name for field in dataclasses.fields(kind)} <= set(re.findall(r"`(\w+)`", row))


def test_the_guide_to_promotion_names_every_setting_and_every_measure() -> None:
    page = (ROOT / "docs/promotion.md").read_text()
    settings, _, measures = page.partition("\n## Rules\n")
    rows = set(re.findall(r"^\| `([\w.]+)` \|", settings.partition("\n## Settings\n")[2], re.MULTILINE))
    rules = {f"rules.{field.name}" for field in dataclasses.fields(RulesConf)}
    assert rows == {field.name for field in dataclasses.fields(PromotionConf)} - {"rules"} | rules
    named = set(re.findall(r"`(\w+)`", measures.partition("\n## Measures")[2]))
    assert {name for known in MEASURES.values() for name in known} <= named
    assert {outcome for outcome in OUTCOMES if f"| `{outcome}` |" not in measures} == set()


def test_every_test_that_a_page_names_is_there() -> None:
    """A claim about what survives what names the test that holds it."""
    page = (ROOT / "docs/fault-tolerance.md").read_text()
    named = re.findall(r"`((?:[\w/]+/)?test_\w+\.py)::(test_\w+)`", page)
    assert len(named) > 20
    for file, test in named:
        (path,) = [ROOT / file] if "/" in file else (ROOT / "tests").rglob(file)
        assert f"def {test}(" in path.read_text(), f"{file} has no {test}"
    rows = [
        line
        for line in page.splitlines()
        if line.startswith("|") and not line.startswith(("|--", "| a job |", "| event |", "| situation |"))
    ]
    assert all("::" in row or row.endswith("| the same |") for row in rows)
