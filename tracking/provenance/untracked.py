"""Source files that git does not track, as the additions of a patch.

What git ignores does not count, nor do files that are no source by their name: they are data, or were made by runs.
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
VISITED = 2000  # entries of folders looked at; beyond, it is a folder of data

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
    """Names of files that are in the patch, and of source files that are not, with the reason."""

    stored: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    patch: bytes = b""


def read_untracked(root: Path, names: Iterable[str]) -> Untracked:
    """Read the source files among `names`, which are relative to `root`; one that ends with '/' is a whole folder."""
    found = Untracked()
    parts: list[bytes] = []
    size = 0
    left = [VISITED]
    for name in _files(root, names, left, found):
        content, mode, reason = _content(root, root / name)
        if not reason and size + len(content) > ALL_BYTES:
            reason = f"new files have more than {ALL_BYTES:,} bytes together"
        if reason:
            found.left_out[name] = reason
            continue
        size += len(content)
        parts.append(addition(name, content, mode))
        found.stored.append(name)
    found.patch = b"".join(parts)
    return found


def addition(name: str, content: bytes, mode: str = "100644") -> bytes:
    """The patch that adds a file of text."""
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
    """A file's name as a patch has it: in quotes and with escapes when it has unusual characters."""
    raw = os.fsencode(name)
    if all(32 <= byte < 127 and byte not in b'"\\' for byte in raw):
        return raw
    escapes = {ord("\n"): b"\\n", ord("\t"): b"\\t", ord('"'): b'\\"', ord("\\"): b"\\\\"}
    plain = (bytes([byte]) if 32 <= byte < 127 else b"\\%03o" % byte for byte in raw)
    return b'"' + b"".join(escapes.get(byte, shown) for byte, shown in zip(raw, plain, strict=True)) + b'"'


def _tab(name: bytes) -> bytes:
    # a name with a space ends at the tab, as what follows could be a date
    return b"\t" if b" " in name and not name.startswith(b'"') else b""


def _content(root: Path, path: Path) -> tuple[bytes, str, str]:
    """The bytes and the mode of a file or a link, or the reason why they are not kept."""
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
    if path.suffix.lower() == ".json" and _tells_secrets(content):
        return b"", "", "it holds what looks secret"
    return content, "100755" if state.st_mode & stat.S_IXUSR else "100644", ""


def _link(root: Path, path: Path) -> tuple[bytes, str, str]:
    target = os.readlink(path)  # noqa: PTH115 - as text: a Path would not keep it to the letter
    is_inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
    if os.path.isabs(target) or not is_inside:  # noqa: PTH117 - it is text
        return b"", "", "it is a link that only leads somewhere here"
    return os.fsencode(target), "120000", ""


def _tells_secrets(content: bytes) -> bool:
    try:
        value = json.loads(content)
        return bool(masked(value) != value)
    except ValueError:
        return False
    except RecursionError:
        return True  # nobody has looked


def _files(root: Path, names: Iterable[str], left: list[int], found: Untracked) -> Iterator[str]:
    for name in names:
        path = root / name
        if not name.endswith("/"):
            if _is_code(path):
                yield name
        elif not _is_skipped(path):
            if (path / ".git").exists():
                yield name
                continue
            yield from _walk(root, name, left)
            if left[0] <= 0:
                found.left_out[name] = f"more than {VISITED:,} files are not tracked"
                return


def _walk(root: Path, folder: str, left: list[int]) -> Iterator[str]:
    try:
        with os.scandir(root / folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in inside:
        left[0] -= 1
        if left[0] <= 0:
            return
        name = f"{folder}{entry.name}"
        path = Path(entry.path)
        if not entry.is_dir(follow_symlinks=False):
            if _is_code(path):
                yield name
        elif not _is_skipped(path):
            if (path / ".git").exists():
                yield f"{name}/"
            else:
                yield from _walk(root, f"{name}/", left)


def _is_code(path: Path) -> bool:
    """Whether a file is source by its name, or a link may be: to such a file, or to a folder."""
    if path.is_symlink() and path.is_dir():
        return not _is_skipped(path)
    is_source = path.suffix.lower() in SUFFIXES or path.name.lower() in NAMES
    return is_source and (path.is_symlink() or path.is_file())


def _is_skipped(folder: Path) -> bool:
    """Whether a folder holds an environment, a store, or what runs leave behind."""
    if folder.name in SKIPPED or folder.name.startswith("."):
        return True
    return any((folder / sign).exists() for sign in ("pyvenv.cfg", "metadata.json", ".podium"))
