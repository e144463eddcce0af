"""Joins the modules of the pages into one classic script: a file that is opened from a disk can load no modules.

Each module becomes a function with a scope of its own, which returns what it exports. Imports and exports have one form, as the
modules of `sweeps/dashboard/assets` are written: `import { a, b } from "./name.js";` and `export function|const|class|async
function NAME`. Anything else is refused, so that no script is made that a browser would not run.
"""

import functools
import re
from pathlib import Path

from sweeps.errors import SweepError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
_IMPORT = re.compile(r'import \{ (?P<names>\w+(?:, \w+)*) \} from "\./(?P<module>[\w/.-]+\.js)";')
_EXPORT = re.compile(r"export (?P<what>(?:async )?function\*?|const|class) (?P<name>\w+)")
_COMMENT = re.compile(r"^/\*\*.*?\*/\n", re.DOTALL | re.MULTILINE)  # in front of a declaration
_ENDS_SCRIPT = re.compile(r"</script|<!--", re.IGNORECASE)


class BundleError(SweepError):
    """The modules of the pages cannot be joined."""


@functools.cache
def bundle(entry: str, folder: Path = ASSETS) -> str:
    """Return one classic script that does what the module `entry` of a folder does.

    Raise BundleError for modules that import each other in a circle, for a form of import or export that is not known, and
    for a text that would end the script.
    """
    ordered: list[str] = []
    sources: dict[str, str] = {}
    _visit(entry, folder, [], ordered, sources)
    parts = ['"use strict";\n(() => {\nconst modules = {};\n']
    parts += [f"modules[{_quoted(name)}] = (() => {{\n{sources[name]}}})();\n" for name in ordered]
    return "".join([*parts, "})();\n"])


def _visit(name: str, folder: Path, above: list[str], ordered: list[str], sources: dict[str, str]) -> None:
    if name in above:
        raise BundleError(f"modules import each other in a circle: {' -> '.join([*above, name])}")
    if name in sources:
        return
    try:
        text = (folder / name).read_text("utf-8")
    except OSError as error:
        raise BundleError(f"{above[-1] if above else 'the page'} imports {name}: {error}") from None
    if found := _ENDS_SCRIPT.search(text):
        raise BundleError(f"{name} holds {found[0]}, which would end the script")
    imported, source = _translated(name, text)
    for each in imported:
        _visit(each, folder, [*above, name], ordered, sources)
    sources[name] = source
    ordered.append(name)


def _translated(name: str, text: str) -> tuple[list[str], str]:
    """Return the modules that a module imports, and its body as that of a function."""
    imported: list[str] = []
    exported: list[str] = []
    lines = []
    for line in _COMMENT.sub("", text).splitlines():
        if line.startswith("import"):
            found = _IMPORT.fullmatch(line)
            if found is None:
                raise BundleError(f"{name}: not the form of an import that can be joined: {line}")
            imported.append(found["module"])
            lines.append(f"const {{ {found['names']} }} = modules[{_quoted(found['module'])}];")
        elif line.startswith("export"):
            found = _EXPORT.match(line)
            if found is None:
                raise BundleError(f"{name}: not the form of an export that can be joined: {line}")
            exported.append(found["name"])
            lines.append(line.removeprefix("export "))
        elif not line.startswith("//"):
            lines.append(line)
    if all(line.count("`") % 2 == 0 for line in lines):  # no text goes over several lines
        lines = [line.strip() for line in lines if line.strip()]
    body = "\n".join(lines).strip("\n")
    return list(dict.fromkeys(imported)), f"{body}\nreturn {{ {', '.join(exported)} }};\n"


def _quoted(name: str) -> str:
    return f'"{name}"'
