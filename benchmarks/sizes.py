"""How large the extras are: python -m benchmarks sizes [--also DIR ...]

For each extra it follows what its packages require in the environment of this interpreter, and adds up the files that pip
has noted for each of them. `--also` names further folders of packages, for extras that are installed apart. A package that is
not found is named. pip itself is not counted.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from benchmarks.contestants import ROOT

OWN = canonicalize_name("podium")
PACKAGES = ("tracking", "sweeps", "trainer", "hydra_plugins", "conf")  # of a clone that is installed as it is


@dataclass
class Closure:
    """All packages that an extra needs, and those that were not found."""

    names: set[NormalizedName] = field(default_factory=set)
    missing: set[NormalizedName] = field(default_factory=set)


def main(arguments: Sequence[str]) -> int:
    """Print a line for each extra, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks sizes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--also", type=Path, action="append", default=[], metavar="DIR")
    options = parser.parse_args(arguments)
    found = installed([str(path) for path in options.also])
    sizes: dict[NormalizedName, int] = {}
    for extra in ("", *_extras(found)):
        known = closure(found, extra)
        for name in known.names - sizes.keys():
            sizes[name] = size_of(found[name])
        whole = sum(sizes[name] for name in known.names) / 1e6
        lacks = f"  not found: {', '.join(sorted(known.missing))}" if known.missing else ""
        print(f"{extra or 'none':10} {whole:8,.0f} MB {len(known.names):4} packages{lacks}")
    return 0


def installed(also: Sequence[str]) -> dict[NormalizedName, Distribution]:
    """Return the packages of this environment, and those of further folders that it does not have."""
    known: dict[NormalizedName, Distribution] = {}
    for each in [*distributions(), *distributions(path=[*also])]:
        known.setdefault(canonicalize_name(each.metadata["Name"]), each)
    return known


def closure(found: dict[NormalizedName, Distribution], extra: str) -> Closure:
    """Return what podium with an extra needs, itself included."""
    made = Closure()
    seen: set[tuple[NormalizedName, str]] = set()
    left = [(OWN, extra), (OWN, "")]
    while left:
        name, wanted = left.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        if name not in found:
            made.missing.add(name)
            continue
        made.names.add(name)
        left += _required(found[name], wanted)
    return made


def size_of(package: Distribution) -> int:
    """Return the bytes of the files of a package, those that Python has compiled included."""
    paths = {Path(str(package.locate_file(file))) for file in package.files or ()}
    if canonicalize_name(package.metadata["Name"]) == OWN and not any(path.suffix == ".py" for path in paths):
        paths = {
            path for name in PACKAGES for path in (ROOT / name).rglob("*") if "__pycache__" not in path.parts
        }
    folders = {path.parent for path in paths if path.suffix == ".py"}
    compiled = {
        each for folder in folders for each in folder.glob("__pycache__/*.pyc") if _source(each) in paths
    }
    return sum(path.stat().st_size for path in paths | compiled if path.is_file())


def _source(compiled: Path) -> Path:
    return compiled.parent.parent / f"{compiled.name.split('.')[0]}.py"


def _required(package: Distribution, extra: str) -> Iterator[tuple[NormalizedName, str]]:
    for text in package.requires or ():
        required = Requirement(text)
        if required.marker is None or required.marker.evaluate({"extra": extra}):
            for wanted in ("", *required.extras):
                yield canonicalize_name(required.name), wanted


def _extras(found: dict[NormalizedName, Distribution]) -> list[str]:
    """Return the extras that users install, the ones of development left out."""
    known = found[OWN].metadata.get_all("Provides-Extra") or []
    return [extra for extra in known if extra not in {"test", "dev"}]
