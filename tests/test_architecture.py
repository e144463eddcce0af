"""The import table and the shape of the code, drawn from the code itself."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tracking", "sweeps", "trainer", "hydra_plugins")
OURS = {*PACKAGES, "conf"}

# What each package may import of ours, anywhere in its code.
ARROWS = {
    "tracking": {"tracking"},
    "sweeps": {"sweeps", "tracking"},
    "trainer": {"trainer", "tracking"},
    "hydra_plugins": {"hydra_plugins", "sweeps"},
}
# The modules of tracking that hold names for others to import.
TRACKING_PUBLIC = {
    "tracking",
    "tracking.files",
    "tracking.names",
    "tracking.query",
    "tracking.registry",
    "tracking.registry.gate",
    "tracking.version",
}
# What importing a package may load from outside the standard library, with what those load themselves.
CONFIGURING = {
    "antlr4",
    "cython_runtime",  # the C parser of yaml
    "hydra",
    "importlib_resources",
    "omegaconf",
    "packaging",
    "typing_extensions",
    "yaml",
}
LOADS = {
    "tracking": {"orjson"},
    "sweeps": {"orjson"} | CONFIGURING,
    "trainer": {"orjson"} | CONFIGURING,
    "hydra_plugins.podium.sweeper": CONFIGURING,
    "hydra_plugins.podium.launcher": CONFIGURING,
}
VAGUE_NAMES = {"base_utils", "common", "helper", "helpers", "misc", "util", "utils"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def every_module() -> list[Path]:
    return [path for package in PACKAGES for path in modules(package)]


def imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return int(node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_between_packages_follow_the_table(package: str) -> None:
    for path in modules(package):
        for name in imported_names(ast.parse(path.read_text())):
            top = name.partition(".")[0]
            assert top not in OURS or top in ARROWS[package], f"{path.relative_to(ROOT)} imports {name}"
            if package != "tracking" and top == "tracking":
                assert name in TRACKING_PUBLIC, (
                    f"{path.relative_to(ROOT)} imports {name}, which is private to tracking"
                )


@pytest.mark.parametrize("module", LOADS)
def test_importing_a_package_loads_no_more_than_the_table_allows(module: str) -> None:
    code = f"import sys; before = set(sys.modules); import {module}; print(*{{name.partition('.')[0] for name in set(sys.modules) - before}})"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(answer.stdout.split())
    outside = loaded - OURS - set(sys.stdlib_module_names) - LOADS[module]
    assert {name for name in outside if not name.startswith("_")} == set()


def test_no_module_imports_itself_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in every_module():
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text())
        top_level = ast.Module(
            [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], []
        )
        graph[name] = set(imported_names(top_level))
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join([*trail, name])}"
        if name in done:
            return
        # A package's __init__ re-exports; that its modules live in it is no cycle.
        for target in graph.get(name, ()):
            if target in graph and not name.startswith(f"{target}."):
                visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", every_module(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_about_one_thing_and_fits_in_the_head(path: Path) -> None:
    assert path.stem not in VAGUE_NAMES
    assert len(path.read_text().splitlines()) <= 400
    for function in functions(path):
        assert length(function) <= 60, f"{function.name} is {length(function)} lines long"
        positional = [arg.arg for arg in function.args.args if arg.arg not in {"self", "cls"}]
        assert len(positional) <= 6, f"{function.name} takes {len(positional)} positional arguments"


def test_most_modules_and_functions_are_short() -> None:
    lines = [len(path.read_text().splitlines()) for path in every_module()]
    bodies = [length(function) for path in every_module() for function in functions(path)]
    assert statistics.median(lines) <= 150
    assert statistics.median(bodies) <= 12


def test_hydra_finds_its_plug_ins_in_a_namespace_folder() -> None:
    assert not (ROOT / "hydra_plugins" / "__init__.py").exists()
