"""The shape of the code: modules and functions that fit in the head, and exceptions to rules that do not grow."""

import ast
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_architecture import MODULES, PACKAGES, ROOT

VAGUE_NAMES = {"base_utils", "common", "helper", "helpers", "misc", "util", "utils"}
SMALL = {"__init__", "__main__", "errors", "version", "tabular"}  # modules that may have fewer than 30 lines
MAX_TYPE_IGNORES = 10
MAX_BROAD_EXCEPTS = 49


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return int(node.end_lineno or node.lineno) - node.lineno + 1


def count_in_code(pattern: str) -> int:
    return sum(len(re.findall(pattern, path.read_text())) for path in MODULES.values())


@pytest.mark.parametrize("path", MODULES.values(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_about_one_thing_and_fits_in_the_head(path: Path) -> None:
    assert path.stem not in VAGUE_NAMES
    lines = len(path.read_text().splitlines())
    assert lines <= 400
    assert lines >= 30 or path.stem in SMALL, f"{lines} lines need no module: put them where they are used"
    for function in functions(path):
        assert length(function) <= 60, f"{function.name} is {length(function)} lines long"
        positional = [arg.arg for arg in function.args.args if arg.arg not in {"self", "cls"}]
        assert len(positional) <= 6, f"{function.name} takes {len(positional)} positional arguments"


def test_no_folder_holds_more_than_20_modules() -> None:
    counts = Counter(path.parent for path in MODULES.values() if path.stem != "__init__")
    assert {str(folder.relative_to(ROOT)): n for folder, n in counts.items() if n > 20} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_modules_of_a_package_share_a_name(package: str) -> None:
    names = Counter(
        path.stem
        for module, path in MODULES.items()
        if module.startswith(f"{package}.")
        and ".cli" not in module
        and path.stem not in {"__init__", "__main__", "errors"}
    )
    assert [name for name, n in names.items() if n > 1] == []


def test_exceptions_to_types_and_broad_excepts_do_not_grow() -> None:
    assert count_in_code(r"# type: ignore") <= MAX_TYPE_IGNORES
    assert count_in_code(r"except (?:Base)?Exception\b") <= MAX_BROAD_EXCEPTS


def test_most_modules_and_functions_are_short() -> None:
    lines = [len(path.read_text().splitlines()) for path in MODULES.values()]
    bodies = [length(function) for path in MODULES.values() for function in functions(path)]
    assert statistics.median(lines) <= 150
    assert statistics.median(bodies) <= 12
