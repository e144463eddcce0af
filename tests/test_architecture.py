"""The import table, read from the code itself.

A room is a folder or a module directly below a package. The tables say which rooms a room may import, imports inside
functions included, so that arrows between rooms run one way only.
"""

import ast
import graphlib
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tracking", "sweeps", "trainer", "hydra_plugins")
OURS = {*PACKAGES, "conf"}

GROUND = "errors paths version"
# Which rooms of its package a room may import. A room that is not named here may not exist.
ROOMS = {
    "tracking": {
        "errors": "",
        "paths": "",
        "version": "",
        "extras": "errors",
        "values": "errors",
        "records": "errors values",
        "process": "errors values",
        "repeats": "",
        "objective": "errors values records",
        "files": "errors values process",
        "metrics": f"{GROUND} files process values records",
        "provenance": f"{GROUND} files process values",
        "store": f"{GROUND} metrics files process values records",
        "watched": f"{GROUND} store metrics files process values records",
        "search": f"{GROUND} extras store metrics objective repeats files process values records",
        "statistics": "errors objective values",
        "registry": f"{GROUND} store objective files process values records",
        "verdicts": "registry values",
        "gate": f"{GROUND} extras rerun registry statistics objective files process values records",
        "plots": "errors extras objective repeats files values records",
        "notify": f"{GROUND} extras values",
        "run": f"{GROUND} store metrics process files values records",
        "transfer": f"{GROUND} extras registry search provenance store metrics objective files process values records",
        "rerun": f"{GROUND} transfer provenance store metrics objective files process values records",
        "browse": f"{GROUND} verdicts rerun registry search provenance store metrics objective repeats files process values records",
        "doctor": f"{GROUND} rerun search registry store metrics files process values records",
        "drawing": f"{GROUND} plots store metrics objective values records",
        "tracker": f"{GROUND} drawing run search registry provenance store metrics objective files process values records",
        "integrations": "errors process tracker run values records",
        "cli.toolkit": f"{GROUND} extras files process values",
        "cli": f"{GROUND} cli.toolkit extras integrations tracker notify plots transfer rerun doctor gate verdicts registry search run provenance "
        "store metrics objective repeats files process values records",
    },
    "sweeps": {
        "errors": "",
        "paths": "errors",
        "stop_signals": "errors",
        "jobs": "errors",
        "warned": "jobs errors",
        "settings": "jobs errors",
        "space": "settings errors",
        "search": "space settings jobs errors",
        "plan": "space settings jobs paths errors",
        "state": "plan settings jobs paths errors",
        "driving": "search state plan space settings jobs paths errors",
        "ranking": "state plan settings jobs paths stop_signals errors",
        "executor": "state plan settings warned jobs paths stop_signals errors",
        "display": "ranking state settings warned jobs paths errors",
        "alerts": "display ranking jobs errors",
        "launcher": "executor plan settings jobs paths errors",
        "dashboard": "display ranking state plan settings jobs paths errors",
        "session": "dashboard alerts display executor driving ranking state search plan settings jobs paths stop_signals errors",
        "sweeper": "session display executor driving ranking state search plan space settings paths errors",
        "cli": "dashboard display ranking state plan space settings jobs paths errors",
    },
    "trainer": {
        "errors": "",
        "device": "errors",
        "seeding": "errors",
        "eager": "",
        "overrides": "",
        "targets": "errors",
        "data": "overrides targets errors",
        "schema": "data errors",
        "defaults": "schema data errors",
        "config": "targets defaults schema data overrides errors",
        "models": "config schema data targets seeding eager errors",
        "watching": "",
        "tasks": "data targets errors",
        "scoring": "tasks models data errors",
        "plots": "tasks data errors",
        "checkpoint": "scoring models data device eager errors",
        "exchange": "tasks models data errors",
        "saved_model": "exchange checkpoint scoring tasks models data targets device errors",
        "promotion": "saved_model tasks data targets errors",
        "predict": "saved_model watching tasks data errors",
        "export": "predict errors",
        "draw": "predict plots errors",
        "training": "checkpoint watching scoring tasks models schema data device seeding targets eager errors",
        "planning": "config schema data errors",
        "job": "saved_model checkpoint models data targets device errors schema",
        "task": "job watching training saved_model checkpoint scoring tasks plots models config schema data device seeding errors",
        "inspect": "app config schema data overrides errors",
        "app": "task config schema overrides errors",
        "command": "",
    },
    "hydra_plugins": {"podium": ""},
}
# What a package may import of the others; of tracking, only these modules.
TRACKING_PUBLIC = {
    "tracking",
    "tracking.browse.reader",
    "tracking.cli.toolkit",
    "tracking.extras",
    "tracking.files",
    "tracking.gate",
    "tracking.notify",
    "tracking.objective",
    "tracking.plots.scales",  # of parallel coordinates, which the report draws too
    "tracking.process",
    "tracking.process.announcements",
    "tracking.process.signals",
    "tracking.process.turns",
    "tracking.registry",
    "tracking.repeats",
    "tracking.search.query",
    "tracking.values.configs",
    "tracking.values.csvtext",
    "tracking.values.htmltext",
    "tracking.values.jsontext",
    "tracking.values.names",
    "tracking.values.plain",
    "tracking.values.returned",
    "tracking.values.secrets",
    "tracking.values.units",
    "tracking.verdicts",
    "tracking.verdicts.words",
    "tracking.version",
    "tracking.watched",
}
FOREIGN = {
    "tracking": set(),
    "sweeps": TRACKING_PUBLIC | {"hydra_plugins.podium.packages"},
    "trainer": {
        "tracking",
        "tracking.extras",
        "tracking.files",
        "tracking.gate.rules",
        "tracking.objective",
        "tracking.process.turns",
        "tracking.process.users_modules",
        "tracking.statistics.formulas",
        "tracking.statistics.measures",
        "tracking.statistics.measure_names",
        "tracking.statistics.ranked",
        "tracking.values.names",
        "tracking.values.returned",
        "tracking.values.yamltext",
        "hydra_plugins.podium.early",
        "hydra_plugins.podium.packages",
        "hydra_plugins.podium.versions",
    },
    "hydra_plugins": {
        "sweeps.errors",
        "sweeps.executor.local.server_process",
        "sweeps.executor.local.slots",
        "sweeps.launcher",
        "sweeps.sweeper",
        "tracking.cli.toolkit",
        "tracking.extras",
        "tracking.integrations.hydra",
    },
}
# What importing a package may load from outside the standard library, with what those load themselves.
CONFIGURING = {
    "antlr4",
    "attr",  # omegaconf looks for it
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
    "sweeps": {"orjson"},
    "trainer": {"orjson"} | CONFIGURING,
    "hydra_plugins.podium.sweeper": CONFIGURING,
    "hydra_plugins.podium.launcher": CONFIGURING,
}

Modules = dict[str, Path]


def modules_of(root: Path, packages: tuple[str, ...] = PACKAGES) -> Modules:
    """Map the dotted name of each module, packages included, to its file."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }


MODULES = modules_of(ROOT)


def imported(tree: ast.AST, *, lazily: bool = True) -> Iterator[str]:
    """Yield every dotted name that a module imports; with `lazily`, inside functions too, but none for types alone."""
    for node in _running(tree) if lazily else ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # the name may be a module


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _running(node)


def resolve(name: str, modules: Modules) -> str:
    """Return the module that an imported name is or comes from: tracking.files.write_json -> tracking.files."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def room_of(module: str) -> tuple[str, str]:
    """Return the package and the room of a module; the package's own name for its face."""
    package, _, rest = module.partition(".")
    if rest == "cli.toolkit" or rest.startswith("cli.toolkit."):
        return package, "cli.toolkit"
    return package, rest.partition(".")[0]


def arrows(modules: Modules) -> Iterator[tuple[str, str]]:
    """Yield importing module and imported module, for every import of ours."""
    for module, path in modules.items():
        for name in imported(ast.parse(path.read_text())):
            target = resolve(name, modules)
            if target and target != module:
                yield module, target


def faults(modules: Modules) -> list[str]:
    """Return each import that the tables forbid, and each room that they do not know."""
    found = []
    for module, target in arrows(modules):
        (package, room), (other, there) = room_of(module), room_of(target)
        if package == other:
            if room in {"", "__main__"} or room == there:
                continue  # the face of a package re-exports from all of its rooms
            if room not in ROOMS[package]:
                found.append(f"{module}: {package}/{room} is no room of the table")
            elif there not in ROOMS[package][room].split():
                found.append(f"{module} imports {target}: {room} may not import {there or package}")
        elif not any(target == each or _is_face_of(each, target) for each in FOREIGN[package]):
            found.append(f"{module} imports {target}, which {package} may not import")
    return found


def _is_face_of(public: str, target: str) -> bool:
    return public in {"tracking.process", "tracking.cli.toolkit"} and target.startswith(f"{public}.")


def circle(modules: Modules) -> list[str] | None:
    """Return modules that import each other in a circle; a package and what it re-exports are none."""
    graph: dict[str, set[str]] = defaultdict(set)
    for module, target in arrows(modules):
        if not target.startswith(f"{module}.") and not module.startswith(f"{target}."):
            graph[module].add(target)
    return _circle(graph)


def room_circle(modules: Modules) -> list[str] | None:
    """Return rooms that import each other in a circle."""
    graph: dict[str, set[str]] = defaultdict(set)
    for module, target in arrows(modules):
        here, there = ("/".join(room_of(each)) for each in (module, target))
        if here != there and not {room_of(module)[1], room_of(target)[1]} & {"", "__main__"}:
            graph[here].add(there)
    return _circle(graph)


def _circle(graph: dict[str, set[str]]) -> list[str] | None:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return None


def test_every_import_follows_the_tables() -> None:
    assert faults(MODULES) == []


def test_the_tables_name_no_room_that_is_gone() -> None:
    there = {room_of(module) for module in MODULES}
    assert {(package, room) for package, rooms in ROOMS.items() for room in rooms} <= there


def test_no_module_and_no_room_imports_itself_in_a_circle() -> None:
    assert circle(MODULES) is None
    assert room_circle(MODULES) is None


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"sweeps/a.py": "from tracking import journal", "tracking/journal.py": ""}, "may not import"),
        (
            {"sweeps/a.py": "def f():\n    import tracking.journal", "tracking/journal.py": ""},
            "may not import",
        ),
        (
            {"tracking/store/a.py": "from tracking import search", "tracking/search/__init__.py": ""},
            "store may not",
        ),
        (
            {"tracking/attic.py": "from tracking import errors", "tracking/errors.py": ""},
            "no room of the table",
        ),
    ],
)
def test_a_planted_private_import_is_found(tmp_path: Path, files: dict[str, str], fault: str) -> None:
    assert any(fault in each for each in faults(plant(tmp_path, files)))


@pytest.mark.parametrize("indent", ["", "def later():\n    "])
def test_a_planted_circle_is_found(tmp_path: Path, indent: str) -> None:
    files = {
        "tracking/values/clock.py": "from tracking import store",
        "tracking/store/__init__.py": "",
        "tracking/store/files.py": f"{indent}from tracking.values import clock",
        "tracking/values/__init__.py": "",
    }
    assert room_circle(plant(tmp_path, files)) is not None
    files = {"tracking/a.py": "from tracking import b", "tracking/b.py": f"{indent}from tracking import a"}
    assert circle(plant(tmp_path, files)) is not None


def plant(root: Path, files: dict[str, str]) -> Modules:
    for name, text in {"tracking/__init__.py": "", "sweeps/__init__.py": "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return modules_of(root)


@pytest.mark.parametrize("module", LOADS)
def test_importing_a_package_loads_no_more_than_the_table_allows(module: str) -> None:
    code = f"import sys; before = set(sys.modules); import {module}; print(*{{name.partition('.')[0] for name in set(sys.modules) - before}})"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(answer.stdout.split())
    outside = loaded - OURS - set(sys.stdlib_module_names) - LOADS[module]
    assert {name for name in outside if not name.startswith("_")} == set()


def test_hydra_finds_its_plug_ins_in_a_namespace_folder() -> None:
    assert not (ROOT / "hydra_plugins" / "__init__.py").exists()
