"""Source files that git does not track, as the additions of a patch.

Files that git ignores are left out, and files whose names are not those of source: they are data, or runs made them.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tracking.values.secrets import is_secret, masked

FILE_BYTES = 256 << 10
ALL_BYTES = 1 << 20
VISITED = 2000  # entries of folders; a folder with more holds data

SUFFIXES = frozenset(
    {".bat", ".c", ".cc", ".cfg", ".cmake", ".cpp", ".css", ".cu", ".cuh", ".cxx", ".f90", ".go", ".h", ".hpp", ".html", ".ini",
     ".ipynb", ".j2", ".java", ".jinja", ".jinja2", ".jl", ".js", ".json", ".lua", ".m", ".mk", ".mm", ".pl", ".proto", ".ps1", ".py",
     ".pyi", ".pyx", ".r", ".rs", ".scala", ".sh", ".sql", ".swift", ".tmpl", ".toml", ".tpl", ".ts", ".xml", ".yaml", ".yml"}
)  # fmt: skip  # a list of words reads best as a paragraph
NAMES = frozenset(
    {"cmakelists.txt", "dockerfile", "gnumakefile", "justfile", "makefile", "pipfile", "requirements.txt"}
)

# Folders that hold no source of the project although files in them look like it.
SKIPPED = frozenset(
    {"node_modules", "__pycache__", "site-packages", "outputs", "multirun", "wandb", "mlruns"}
)


@dataclass
class Untracked:
    """The files in the patch, and the source files that are not in it, with the reason."""

    stored: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    patch: bytes = b""


def read_untracked(root: Path, names: Iterable[str]) -> Untracked:
    """Read the source files among `names`, which are relative to `root`; a name that ends with '/' is a folder."""
    found = Untracked()
    parts: list[bytes] = []
    size = 0
    left = [VISITED]
    for top in names:
        for name in _sources(root, top, left):
            content, mode, reason = _content(root, root / name)
            if not reason and size + len(content) > ALL_BYTES:
                reason = f"new files have more than {ALL_BYTES:,} bytes together"
            if reason:
                found.left_out[name] = reason
                continue
            size += len(content)
            parts.append(addition(name, content, mode))
            found.stored.append(name)
        if left[0] <= 0:
            found.left_out[top] = f"more than {VISITED:,} files are not tracked"
            break
    found.patch = b"".join(parts)
    return found


def addition(name: str, content: bytes, mode: str = "100644") -> bytes:
    """Return the patch that adds a text file."""
    before, after = quoted_name(f"a/{name}"), quoted_name(f"b/{name}")
    head = b"diff --git %b %b\nnew file mode %b\n" % (before, after, mode.encode())
    if not content:
        return head + b"index 0000000..e69de29\n"
    lines = content.split(b"\n")
    is_whole = lines[-1] == b""
    if is_whole:
        lines.pop()
    hunk = b"--- /dev/null\n+++ %b\n@@ -0,0 +1,%d @@\n" % (after + _tab(after), len(lines))
    end = b"" if is_whole else b"\n\\ No newline at end of file"
    return head + hunk + b"+" + b"\n+".join(lines) + end + b"\n"


def quoted_name(name: str) -> bytes:
    """Return a file's name as patches write it: in quotes and with escapes if it has unusual characters."""
    raw = os.fsencode(name)
    if all(32 <= byte < 127 and byte not in b'"\\' for byte in raw):
        return raw
    escapes = {ord("\n"): b"\\n", ord("\t"): b"\\t", ord('"'): b'\\"', ord("\\"): b"\\\\"}
    plain = (bytes([byte]) if 32 <= byte < 127 else b"\\%03o" % byte for byte in raw)
    return b'"' + b"".join(escapes.get(byte, shown) for byte, shown in zip(raw, plain, strict=True)) + b'"'


def _tab(name: bytes) -> bytes:
    # the tab ends a name with a space; a date may follow it
    return b"\t" if b" " in name and not name.startswith(b'"') else b""


def _content(root: Path, path: Path) -> tuple[bytes, str, str]:
    """Return the bytes and the mode of a file or a link, or the reason why it is not kept."""
    try:
        if path.is_symlink():
            return _link(root, path)
        if path.is_dir():
            return b"", "", "it is a repository of its own"
        state = path.lstat()
        if state.st_size > FILE_BYTES:
            return b"", "", f"it has more than {FILE_BYTES:,} bytes"
        content = path.read_bytes()
    except OSError as error:
        return b"", "", f"it cannot be read ({error.strerror})"
    if is_secret(path.stem, "file"):
        return b"", "", "its name looks secret"
    if b"\0" in content:
        return b"", "", "it is not text"
    if path.suffix.lower() == ".json" and _has_secrets(content):
        return b"", "", "it holds what looks secret"
    return content, "100755" if state.st_mode & stat.S_IXUSR else "100644", ""


def _link(root: Path, path: Path) -> tuple[bytes, str, str]:
    target = os.readlink(path)  # noqa: PTH115 - a Path would change the text
    is_inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
    if os.path.isabs(target) or not is_inside:  # noqa: PTH117 - it is text
        return b"", "", "it is a link that is absolute or leads out of the repository"
    return os.fsencode(target), "120000", ""


def _has_secrets(content: bytes) -> bool:
    try:
        value = json.loads(content)
        return bool(masked(value) != value)
    except ValueError:
        return False
    except RecursionError:
        return True  # it could not be checked


def _sources(root: Path, name: str, left: list[int]) -> Iterator[str]:
    """Yield the source files of `name`, which is a file, or a folder if it ends with '/'; a repository as its folder.

    `left` counts down the entries of folders that may still be visited.
    """
    path = root / name
    if not name.endswith("/"):
        if _is_source(path):
            yield name
    elif _is_skipped(path):
        return
    elif (path / ".git").exists():
        yield name
    else:
        for inner in _entries(path):
            left[0] -= 1
            if left[0] <= 0:
                return
            yield from _sources(root, f"{name}{inner}", left)


def _entries(folder: Path) -> list[str]:
    """Return the sorted names in a folder, those of folders with '/' at the end."""
    try:
        with os.scandir(folder) as entries:
            return [
                f"{entry.name}{'/' * entry.is_dir(follow_symlinks=False)}"
                for entry in sorted(entries, key=lambda entry: entry.name)
            ]
    except OSError:
        return []


def _is_source(path: Path) -> bool:
    """Return whether a file is source by its name, or is a link to a folder that may hold source."""
    if path.is_symlink() and path.is_dir():
        return not _is_skipped(path)
    is_source = path.suffix.lower() in SUFFIXES or path.name.lower() in NAMES
    return is_source and (path.is_symlink() or path.is_file())


def _is_skipped(folder: Path) -> bool:
    """Return whether a folder holds an environment, a store, or output of runs."""
    if folder.name in SKIPPED or folder.name.startswith("."):
        return True
    return any((folder / sign).exists() for sign in ("pyvenv.cfg", "metadata.json", ".podium"))
