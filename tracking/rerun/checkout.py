"""The code of a run as it was: its commit and its changes in a folder of their own.

The folder is a repository that borrows the objects of the first one, so that nothing is copied, no remote is asked, and
neither the user's working tree nor their repository changes.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracking.errors import RerunError
from tracking.provenance.git import find_root
from tracking.provenance.untracked import SKIPPED, is_source
from tracking.values.secrets import masked_text

VISITED = 2000  # entries of folders that git does not track; beyond them a folder is a link
COPIED_BYTES = (
    16 << 20
)  # of a file that is copied, so that writing into it changes no original; larger ones are links
ALL_BYTES = 256 << 20
SETTINGS = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0")


def check_out(root: Path, git: Mapping[str, Any], tree: Path, *, patch: Path | None) -> None:
    """Put the code that git.json names into `tree`, with its submodules and the run's patch.

    Raise RerunError if the repository, the commit or a submodule is missing, or the patch does not apply.
    """
    commit = git.get("commit")
    if not isinstance(commit, str) or not commit:
        raise RerunError("the run knows no commit of its code; --here runs the present code")
    if find_root(root) != root:
        raise RerunError(
            f"there is no repository {str(root)!r}; name its folder with --repository, or run the present code with --here"
        )
    _check_out(root, commit, tree)
    if patch is not None:
        try:
            _git(tree, "apply", "--whitespace=nowarn", str(patch.resolve()))
        except RerunError as error:
            raise RerunError(
                f"{patch.name} of the run does not apply to its commit {commit[:12]}: {error}"
            ) from None


def _check_out(root: Path, commit: str, tree: Path) -> None:
    try:
        _git(root, "cat-file", "-e", f"{commit}^{{commit}}")
    except RerunError:
        raise RerunError(
            f"the commit {commit[:12]} is not in {str(root)!r}; fetch it from where it was pushed to, "
            "or run the present code with --here"
        ) from None
    kind = _git(root, "rev-parse", "--show-object-format").strip() or "sha1"
    _git(root, "init", "--quiet", f"--object-format={kind}", str(tree))
    objects = (root / _git(root, "rev-parse", "--git-path", "objects").strip()).resolve()
    (tree / ".git/objects/info").mkdir(parents=True, exist_ok=True)
    (tree / ".git/objects/info/alternates").write_text(f"{objects}\n")
    shallow = root / _git(root, "rev-parse", "--git-path", "shallow").strip()
    if shallow.is_file():
        shutil.copy(shallow, tree / ".git/shallow")
    _git(tree, "-c", f"lfs.storage={objects.parent / 'lfs'}", "checkout", "--quiet", "--detach", commit)
    for line in _git(tree, "ls-tree", "-r", "-z", commit).split("\0"):
        facts, _, name = line.partition("\t")
        if facts.startswith("160000 "):
            _submodule(root / name, facts.split()[2], tree / name)


def _submodule(root: Path, commit: str, tree: Path) -> None:
    if not (root / ".git").exists():
        raise RerunError(f"the submodule {str(root)!r} is empty: git submodule update --init")
    _check_out(root, commit, tree)


def bring_data(root: Path, git: Mapping[str, Any], tree: Path) -> None:
    """Give the checkout what lies in the repository and git does not keep, such as data: small files copied, large ones linked.

    Stores, environments and outputs of other runs stay behind, and source files that the run did not have.
    """
    left = _Left()
    known = {*(git.get("left_out") or ()), *(git.get("untracked") or ())}
    listing = ("ls-files", "--others", "--directory", "--no-empty-directory", "--exclude-standard", "-z")
    for is_ignored in (True, False):
        names = _git(root, *listing, *(("--ignored",) if is_ignored else ())).split("\0")
        for name in filter(None, names):
            if is_ignored or name in known or not is_source(root / name):
                _bring(root / name, tree / name, left)


class _Left:
    """How much may still be visited and copied."""

    def __init__(self) -> None:
        self.entries, self.size = VISITED, ALL_BYTES


def _bring(source: Path, target: Path, left: _Left) -> None:
    if os.path.lexists(target) and not (target.is_dir() and source.is_dir()):
        return
    left.entries -= 1
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        if _stays_behind(source):
            return
        names = sorted(os.listdir(source)) if left.entries > 0 else []  # noqa: PTH208 - names alone
        if left.entries <= len(names):
            if not target.exists():
                target.symlink_to(source)
            return
        target.mkdir(exist_ok=True)
        for name in names:
            _bring(source / name, target / name, left)
    elif source.is_symlink() or not source.is_file():
        if source.exists():
            target.symlink_to(source.resolve())
    elif (size := source.stat().st_size) <= min(COPIED_BYTES, left.size):
        left.size -= size
        shutil.copy2(source, target)
    else:
        target.symlink_to(source)


def _stays_behind(folder: Path) -> bool:
    """Return whether a folder is an environment, a store, a repository, or output of runs."""
    if folder.name in SKIPPED or folder.name.startswith("."):
        return True
    signs = (".git", "pyvenv.cfg", ".podium")
    is_store = (folder / "metadata.json").exists() and (folder / "runs").is_dir()
    return is_store or any((folder / sign).exists() for sign in signs)


def _git(folder: Path, *arguments: str) -> str:
    """Return what git writes; raise RerunError with what it complains of."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", *SETTINGS, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, looked up as the user's shell does
            command,
            env={**own, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise RerunError(f"git could not be started: {error.strerror}") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise RerunError(masked_text(lines[0])[:300])
    return os.fsdecode(done.stdout)
