"""What each process of a re-made run does first: import code from the checkout, and take the recorded config.

A copy of this file is the `sitecustomize` of these processes, so it imports nothing of podium: the checkout may hold another
version. PODIUM_RERUN names a file with the folders that code is taken from in place of others, `pairs`, and what the first
process is told of Hydra.
"""

import atexit
import contextlib
import importlib
import json
import os
import sys
import warnings
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

VARIABLE = "PODIUM_RERUN"
FIRST = (
    "PODIUM_RERUN_FIRST"  # set for the first process alone, with the number of the process that started it
)
INSTALLED = ("/site-packages/", "/dist-packages/")
MASK = "***"
OTHER_SECTIONS = "all: the recorded config has other sections than the app, and was not taken"
DERIVED = ("${hydra:", "${now:")  # Hydra makes these values anew for each run
SIGTERM_ON_DEATH = (1, 15)  # of prctl(PR_SET_PDEATHSIG, SIGTERM)


def begin(spec: dict[str, Any]) -> None:
    """Redirect imports of this process, and in the first process what Hydra composes; report at the end."""
    pairs = [(str(root), str(tree)) for root, tree in spec["pairs"]]
    sys.path[:] = [redirected(entry, pairs) for entry in sys.path]
    _redirect_editable(pairs)
    parent = os.environ.pop(FIRST, "")
    if parent:
        _end_with(int(parent))
        _report(spec["report"], {"began": [os.getpid()]})
        sys.meta_path.insert(0, _Composing(spec))
    atexit.register(_report_imports, spec["report"], pairs)


def redirected(path: str, pairs: list[tuple[str, str]]) -> str:
    """Return the place of a path in the checkout; the path itself if it is installed, or if the checkout lacks it."""
    if not path:
        return path
    real = os.path.realpath(path)
    for root, tree in pairs:
        if real == root or real.startswith(f"{root}/"):
            there = tree + real[len(root) :]
            is_installed = any(each in f"{real}/" for each in INSTALLED)
            return path if is_installed or not os.path.exists(there) else there  # noqa: PTH110 - text on both sides
    return path


def _redirect_editable(pairs: list[tuple[str, str]]) -> None:
    """Redirect the finders by which setuptools installs a project in editable form; others add to the path."""
    for name, module in list(sys.modules.items()):
        if not name.startswith("__editable__"):
            continue
        for kind in ("MAPPING", "NAMESPACES"):
            table: Any = getattr(module, kind, {})
            for package, place in dict(table).items():
                is_one = isinstance(place, str)
                places = [redirected(each, pairs) for each in ([place] if is_one else place)]
                table[package] = places[0] if is_one else places


def _end_with(parent: int) -> None:
    """Have the kernel end this process when the one that makes the run again dies."""
    with contextlib.suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(*SIGTERM_ON_DEATH, 0, 0, 0)
    try:
        os.kill(parent, 0)
    except ProcessLookupError:  # it died before the kernel was told
        os._exit(1)
    except PermissionError:
        pass


def _report_imports(report: str, pairs: list[tuple[str, str]]) -> None:
    """Say which source files were imported from a repository itself, not from its checkout."""
    found = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if not isinstance(file, str) or not file.endswith(".py"):
            continue
        path = os.path.abspath(file)  # noqa: PTH100 - links into the repository lie in the checkout
        is_inside = any(path.startswith(f"{root}/") for root, _ in pairs)
        is_taken = any(path.startswith(f"{tree}/") for _, tree in pairs)
        if is_inside and not is_taken and not any(each in path for each in INSTALLED):
            found.add((path, redirected(path, pairs) != path))
    if found:
        _report(report, {"imported": sorted(found)})


def _report(path: str, value: dict[str, Any]) -> None:
    with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - pathlib loads slowly
        file.write(json.dumps(value, default=str) + "\n")


class _Composing(MetaPathFinder):
    """Makes Hydra's composition end in the config that the first run had."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002 - its signature
        """Wrap the loader of the one module that composes."""
        if fullname != "hydra._internal.hydra":
            return None
        sys.meta_path.remove(self)
        found = find_spec(fullname)
        if found is not None and found.loader is not None:
            loader: Any = found.loader
            load = loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                self._wrap(module.Hydra)

            loader.exec_module = exec_module
        return found

    def _wrap(self, hydra: Any) -> None:
        compose = hydra.compose_config

        def compose_config(*args: Any, **kwargs: Any) -> Any:
            config = compose(*args, **kwargs)
            changed = settle(config, self._spec)
            if changed:
                _report(self._spec["report"], {"config": changed})
            _report(self._spec["report"], {"numbers": whole_numbers(config)})
            return config

        hydra.compose_config = compose_config


def settle(config: Any, spec: dict[str, Any]) -> list[str]:
    """Give a composed config the recorded values and the new seed; return the keys whose recorded value is another.

    A recorded config with other sections is not what the app composes, and is left alone. Masked values, and those that Hydra
    derives for each run, stay as composed.
    """
    from omegaconf import OmegaConf, flag_override

    changed: list[str] = []
    with flag_override(config, ["readonly", "struct"], False):
        saved = _saved(spec.get("config"))
        if {str(key) for key in saved} == {str(key) for key in config if key != "hydra"}:
            _take(config, saved, "", changed)
        elif saved:
            changed.append(OTHER_SECTIONS)
        for key, value in spec.get("set", {}).items():
            OmegaConf.update(config, key, value, force_add=True)
        config.hydra.run.dir = spec["output"]
    return changed


def whole_numbers(config: Any) -> list[list[Any]]:
    """Return the keys of a composed config that hold whole numbers, with these: one may be the seed."""
    from omegaconf import OmegaConf

    found: list[list[Any]] = []

    def look(node: Any, above: str) -> None:
        for key in node:
            with contextlib.suppress(Exception):  # a value that cannot be resolved
                if OmegaConf.is_dict(node[key]):
                    look(node[key], f"{above}{key}.")
                elif type(node[key]) is int:
                    found.append([f"{above}{key}", node[key]])

    for key in config:
        if key != "hydra":
            with contextlib.suppress(Exception):
                look({key: config[key]}, "")
    return found


def _saved(path: str | None) -> dict[Any, Any]:
    """Return the recorded config, an empty one if it is no mapping."""
    import yaml
    from omegaconf import _utils

    # OmegaConf 2.4 has it in a module of its own. It reads 1e-3 as a number.
    home: Any = _utils if hasattr(_utils, "get_yaml_loader") else importlib.import_module("omegaconf._yaml")

    try:
        with open(path or os.devnull, encoding="utf-8") as file:  # noqa: PTH123 - pathlib loads slowly
            found = yaml.load(file, Loader=home.get_yaml_loader())  # noqa: S506 - a safe loader
    except (yaml.YAMLError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _take(node: Any, saved: dict[Any, Any], above: str, changed: list[str]) -> None:
    from omegaconf import OmegaConf

    for key in [key for key in node if key not in saved and f"{above}{key}" != "hydra"]:
        with contextlib.suppress(Exception):  # a structured config keeps its keys
            del node[key]
            changed.append(f"{above}{key}")
    for key, value in saved.items():
        inner: Any = node._get_node(key) if key in node else None
        if isinstance(value, dict) and OmegaConf.is_dict(inner) and not inner._is_interpolation():
            _take(inner, value, f"{above}{key}.", changed)
        elif _is_other(node, key, inner, value):
            with warnings.catch_warnings():
                # OmegaConf 2.4 warns where a recorded 1 becomes the 1.0 that the config is declared to have.
                warnings.simplefilter("ignore", FutureWarning)
                node[key] = value
            changed.append(f"{above}{key}")


def _is_other(node: Any, key: Any, inner: Any, value: Any) -> bool:
    """Return whether a recorded value is to take the place of the composed one."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    written = None if inner is None else inner._value()
    is_derived = isinstance(written, str) and any(each in written for each in DERIVED)
    if is_derived or MASK in json.dumps(value, default=str) or (written == value and inner is not None):
        return False
    try:
        found = node[key]
        if OmegaConf.is_config(found):
            found = OmegaConf.to_container(found, resolve=True, enum_to_str=True)
    except OmegaConfBaseException:  # what cannot be resolved now is what was recorded
        return True
    return repr(found) != repr(value) and str(found) != str(value)


def _next_sitecustomize() -> None:
    """Run the module of this name that this one hides."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib loads slowly
    sys.path[:] = [entry for entry in sys.path if entry != here]
    hidden = PathFinder.find_spec("sitecustomize", sys.path)
    if hidden is not None and hidden.loader is not None:
        hidden.loader.exec_module(module_from_spec(hidden))


if __name__ == "sitecustomize" and VARIABLE in os.environ:
    with open(os.environ[VARIABLE], encoding="utf-8") as _file:  # noqa: PTH123 - pathlib loads slowly
        begin(json.load(_file))
    _next_sitecustomize()
