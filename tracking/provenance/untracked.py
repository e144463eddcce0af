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


class NotKeptError(Exception):
    """A file is not kept; the text says why."""


def read_untracked(root: Path, names: Iterable[str]) -> Untracked:
    """Read the source files among `names`, which are relative to `root`; a name that ends with '/' is a folder."""
    found = Untracked()
    room, left = ALL_BYTES, [VISITED]
    for top in names:
        for name in _sources(root, top, left):
            try:
                content, mode = _read(root, root / name)
                if len(content) > room:
                    raise NotKeptError(f"new files have more than {ALL_BYTES:,} bytes together")
            except NotKeptError as reason:
                found.left_out[name] = str(reason)
            except OSError as error:
                found.left_out[name] = f"it cannot be read ({error.strerror})"
            else:
                room -= len(content)
                found.patch += addition(name, content, mode)
                found.stored.append(name)
        if left[0] <= 0:
            found.left_out[top] = f"more than {VISITED:,} files are not tracked"
            break
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
    hunk = b"--- /dev/null\n+++ %b\n@@ -0,0 +1,%d @@\n" % (after, len(lines))
    end = b"" if is_whole else b"\n\\ No newline at end of file"
    return head + hunk + b"+" + b"\n+".join(lines) + end + b"\n"


def quoted_name(name: str) -> bytes:
    """Return a file's name as patches write it: in quotes and with escapes if it has unusual characters or a space."""
    raw = os.fsencode(name)
    plain = (bytes([byte]) if 32 < byte < 127 and byte not in b'"\\' else b"\\%03o" % byte for byte in raw)
    escaped = b"".join(plain)
    return raw if escaped == raw else b'"' + escaped + b'"'


def _read(root: Path, path: Path) -> tuple[bytes, str]:
    """Return the content and the mode of a file, or the target and the mode of a link; raise NotKeptError."""
    state = path.lstat()
    if stat.S_ISLNK(state.st_mode):
        target = os.readlink(path)  # noqa: PTH115 - a Path would change the text
        is_inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
        if os.path.isabs(target) or not is_inside:  # noqa: PTH117 - it is text
            raise NotKeptError("it is a link that is absolute or leads out of the repository")
        return os.fsencode(target), "120000"
    if stat.S_ISDIR(state.st_mode):
        raise NotKeptError("it is a repository of its own")
    if state.st_size > FILE_BYTES:
        raise NotKeptError(f"it has more than {FILE_BYTES:,} bytes")
    content = path.read_bytes()
    if is_secret(path.stem, "file"):
        raise NotKeptError("its name looks secret")
    if b"\0" in content:
        raise NotKeptError("it is not text")
    if path.suffix.lower() == ".json" and _has_secrets(content):
        raise NotKeptError("it holds what looks secret")
    return content, "100755" if state.st_mode & stat.S_IXUSR else "100644"


def _has_secrets(content: bytes) -> bool:
    try:
        value = json.loads(content)
        return bool(masked(value) != value)
    except ValueError:
        return False
    except RecursionError:
        return True  # it could not be checked


def _sources(root: Path, top: str, left: list[int]) -> Iterator[str]:
    """Yield the source files of `top`, which is a file, or a folder if it ends with '/'; a repository as its folder.

    `left` counts down the entries of folders that may still be visited.
    """
    if not top.endswith("/"):
        if is_source(root / top):
            yield top
        return
    for place, folders, names in os.walk(root / top):
        folder = Path(place)
        is_repository = ".git" in folders or ".git" in names
        if is_repository and not _is_skipped(folder):
            yield f"{folder.relative_to(root)}/"
        if is_repository or _is_skipped(folder):
            folders.clear()
            continue
        folders.sort()
        left[0] -= len(folders) + len(names)
        if left[0] <= 0:
            return
        # a link to a folder is among the folders, and not entered
        files = (name for name in sorted([*folders, *names]) if is_source(folder / name))
        yield from (str((folder / name).relative_to(root)) for name in files)


def is_source(path: Path) -> bool:
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
