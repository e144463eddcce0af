"""Changes that `git status` is told not to show: files marked assume-unchanged or skip-worktree, also in submodules.

A sparse checkout marks the files that it leaves out; those are not there, and so no code of the run.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tracking.provenance.git import Git, GitError

INDEX = ("ls-files", "-v", "-s", "-z")
INDEX_BYTES = 256 << 20
STATUS = ("status", "--porcelain=v2", "--ignore-submodules=none", "-z")
SUBMODULE = b"160000"  # the mode of one
MOST_MARKED = 1000  # files, whose content is compared

# A small letter marks a file as assume-unchanged, S as skip-worktree.
_ENTRY = re.compile(
    rb"(?:\A|(?<=\0))(?:(?P<mark>[a-zS]) (?P<mode>\d+)|. (?P<submodule>160000)) (?P<blob>\w+) \d\t(?P<name>[^\0]+)"
)


def hidden_changes(git: Git) -> list[str]:
    """Return what is wrong, a sentence per file, or that git does not answer."""
    try:
        return _hidden(git)
    except GitError as error:
        return [str(error)]


def _hidden(git: Git, *, is_inner: bool = False) -> list[str]:
    found = []
    marked: list[tuple[str, str, str]] = []
    submodules: list[str] = []
    for entry in _ENTRY.finditer(git.ask(*INDEX, limit_bytes=INDEX_BYTES)):
        name = os.fsdecode(entry["name"])
        mode = entry["submodule"] or entry["mode"]
        if entry["mark"] and (entry["mark"] != b"S" or os.path.lexists(git.root / name)):
            marked.append((name, mode.decode(), entry["blob"].decode()))
        if mode == SUBMODULE and (git.root / name / ".git").exists():
            submodules.append(name)
    # the status of the outer repository asks a submodule with the submodule's own settings
    if is_inner and submodules and git.ask(*STATUS, limit_bytes=INDEX_BYTES):
        found.append("it has changes, or a submodule of its own has")
    for name in submodules:
        inner = _hidden(git.at(git.root / name), is_inner=True)
        found += [f"in the submodule {shown(name)}: {why}" for why in inner]
    return [*found, *_changed(git, marked)]


def shown(name: str) -> str:
    """Return a file's name for a sentence."""
    return name if name.isprintable() else repr(name)


def _changed(git: Git, marked: list[tuple[str, str, str]]) -> Iterator[str]:
    if len(marked) > MOST_MARKED:
        yield f"git is told not to look at {len(marked):,} files"
        return
    plain = [name for name, mode, _ in marked if mode.startswith("100") and _is_plain(git.root / name)]
    # the path decides which filters apply, such as those of line ends
    hashes = git.ask("hash-object", "--", *plain, limit_bytes=1 << 20).split() if plain else []
    now = dict(zip(plain, map(bytes.decode, hashes), strict=True))
    for name, mode, blob in marked:
        is_same = now.get(name) == blob and os.access(git.root / name, os.X_OK) is (mode == "100755")
        if not is_same:
            yield f"{shown(name)} is not what the commit holds, and git is told not to look at it"


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
