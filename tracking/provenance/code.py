"""The code of a run: its commit, and one patch with everything else that it ran with.

`git checkout COMMIT && git apply git.patch` restores the code: the patch has the changes of tracked files, and the
source files that git does not track as additions. Where that is not all of the code, git.json says so.
"""

import functools
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from tracking.provenance.git import Git, GitError, find_root, remote_url
from tracking.provenance.hidden import hidden_changes, shown
from tracking.provenance.imported import Imported, imported_code
from tracking.provenance.untracked import Untracked, read_untracked

FORMAT = 1
STATUS_BYTES = 4 << 20
PATCH_BYTES = 1 << 20  # of changes of tracked files; new files have a limit of their own
SHOWN = 100  # names of files in git.json
FEW = 5  # in a sentence
AT_ONCE = 500  # names of files in a question to git

STATUS = ("status", "--porcelain=v2", "--branch", "--ignore-submodules=none", "-z")
DIFF = (
    "diff",
    "--binary",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-relative",
    "--unified=3",  # git apply needs some context
    "--inter-hunk-context=0",
    "--submodule=short",
    "--ignore-submodules=none",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "HEAD",
)


@dataclass(frozen=True)
class Code:
    """The content of git.json, and the patch: None without changes, or if they could not be read.

    `repositories` are others that code was imported from.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    remote: str | None = None
    root: str | None = None
    folder: str | None = None
    changed: list[str] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    repositories: list[dict[str, Any]] = field(default_factory=list)
    why_not: list[str] = field(default_factory=list)
    patch: bytes | None = None

    def content(self) -> dict[str, Any]:
        """Return the content of git.json."""
        facts = {name: value for name, value in vars(self).items() if name != "patch"}
        lists = ("changed", "untracked", "left_out")
        return {
            "format": FORMAT,
            **facts,
            **{f"{name}_count": len(facts[name]) for name in lists},
            "changed": self.changed[:SHOWN],
            "untracked": self.untracked[:SHOWN],
            "left_out": dict(list(self.left_out.items())[:SHOWN]),
            "patch_bytes": len(self.patch or b""),
            "reproducible": not self.why_not,
        }

    def without_patch(self, reason: str) -> "Code":
        """Return the same without a copy of the code; `reason` says why, if the code differs from the commit."""
        if not self.patch:
            return self
        return replace(self, patch=None, untracked=[], why_not=[*self.why_not, reason])


def current_code() -> Code:
    """Return the code of this process, each repository read once when it is first met, because that is what was imported.

    The repository is that of the working folder, else that of the script. Others that code was imported from are named
    with their commits, and their changes are not kept.
    """
    try:
        here = Path.cwd()
    except OSError:  # deleted under the process
        return Code(why_not=["the working folder no longer exists"])
    code = also_imported(_code(here, _script_folder()))
    typed = _typed()
    return replace(code, why_not=[*code.why_not, typed]) if typed else code


def _typed() -> str | None:
    """Return why the program itself is in no file, if it is not; that of `python -c` is in the command, which is kept."""
    if hasattr(sys, "ps1"):
        return "an interactive session or a notebook started it, whose code is in no file of git"
    if getattr(sys.modules.get("__main__"), "__file__", None) == "<stdin>":
        return "python read the program from its standard input"
    return None


def also_imported(code: Code) -> Code:
    """Return the code with what is imported by now from elsewhere, and what of it can be restored."""
    return _also_imported(_Same(code), imported_code()) if code.root else code


class _Same(NamedTuple):
    """A value that is equal to itself only, so that caches may have it as a key."""

    code: Code

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.code is other.code

    def __hash__(self) -> int:
        return id(self.code)


@functools.lru_cache(maxsize=8)
def _also_imported(found: _Same, imported: Imported) -> Code:
    code = found.code
    own = os.path.realpath(str(code.root))
    repositories = []
    why_not = [f"{shown(path)} was imported and lies in no git repository" for path in imported.homeless]
    for root, files in imported.repositories:
        if root == own:
            kept = {*code.untracked, *code.left_out}  # what is left out is named already
            why_not += _untracked_imports(root, tuple(name for name in files if name not in kept))
        else:
            other = _other(root)
            reasons = [*other.why_not, *_untracked_imports(root, files)]
            why_not += [f"code was imported from {shown(root)}: {reason}" for reason in reasons]
            facts = {"root": root, "commit": other.commit, "branch": other.branch, "remote": other.remote}
            repositories.append({**facts, "reproducible": not reasons})
    new = [reason for reason in why_not if reason not in code.why_not]
    if not new and repositories == code.repositories:
        return code
    return replace(code, repositories=repositories, why_not=[*code.why_not, *new][:SHOWN])


@functools.lru_cache(maxsize=64)
def _other(root: str) -> Code:
    """Return the commit of a repository that has no patch of its own, and why it is not all of the code."""
    code = Code(root=root)
    git = Git(Path(root))
    try:
        code = _parsed(code, git, git.ask(*STATUS, "--untracked-files=no", limit_bytes=STATUS_BYTES))
    except GitError as error:
        return replace(code, why_not=[str(error)])
    names = ", ".join(map(shown, code.changed[:FEW])) + (", ..." if len(code.changed) > FEW else "")
    changes = [f"it has changes that are not kept ({names})"] if code.changed else []
    unborn = ["it has no commit yet"] if code.commit is None else []
    return replace(code, why_not=[*unborn, *changes, *code.why_not, *hidden_changes(git)])


@functools.lru_cache(maxsize=64)
def _untracked_imports(root: str, files: tuple[str, ...]) -> list[str]:
    git = Git(Path(root))
    tracked: set[str] = set()
    try:
        for start in range(0, len(files), AT_ONCE):
            answer = git.ask(
                "ls-files", "-z", "--", *files[start : start + AT_ONCE], limit_bytes=STATUS_BYTES
            )
            tracked.update(os.fsdecode(answer).split("\0"))
    except GitError as error:
        return [f"git does not say whether it tracks what was imported: {error}"]
    return [f"{shown(name)} was imported, and git does not track it" for name in files if name not in tracked]


@functools.lru_cache(maxsize=8)
def _code(here: Path, script: Path | None) -> Code:
    for folder in (here, script):
        root = find_root(folder) if folder else None
        if folder and root:
            return read_code(root, folder)
    return Code(why_not=["the working folder is in no git repository"])


def read_code(root: Path, folder: Path, *, timeout_s: float | None = None) -> Code:
    """Ask git about the repository at `root`; a failure of git is recorded and not raised."""
    code = Code(root=str(root), folder=folder.relative_to(root).as_posix())
    git = Git(root, timeout_s=timeout_s) if timeout_s else Git(root)
    try:
        status = git.ask(*STATUS, "--untracked-files=normal", limit_bytes=STATUS_BYTES)
    except GitError as error:
        return replace(code, why_not=[str(error)])
    found = _parsed(code, git, status)
    return _with_patch(git, root, replace(found, why_not=[*found.why_not, *hidden_changes(git)]))


def _parsed(code: Code, git: Git, status: bytes) -> Code:
    """Return `code` with the output of `git status`: records end with NUL; the old name follows a renamed file."""
    head: dict[str, str] = {}
    changed, untracked, why_not = [], [], []
    records = iter(os.fsdecode(status).split("\0"))
    for record in records:
        kind = record[:1]
        if kind == "#":
            name, _, value = record[2:].partition(" ")
            head[name] = value
        elif kind == "?":
            untracked.append(record[2:])
        elif kind in ("1", "2", "u"):
            fields = record.split(" ", {"1": 8, "2": 9, "u": 10}[kind])
            changed.append(fields[-1])
            if kind == "2":
                next(records, None)
            if kind == "u":
                why_not.append(f"{shown(fields[-1])} has a merge conflict")
            if fields[2].startswith("S"):
                is_inner = "M" in fields[2] or "U" in fields[2]
                what = "has changes of its own" if is_inner else "is not at the commit that HEAD has"
                why_not.append(f"the submodule {shown(fields[-1])} {what}")
    commit = head.get("branch.oid")
    branch = head.get("branch.head")
    upstream = head.get("branch.upstream", "").partition("/")[0]
    return replace(
        code,
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        remote=remote_url(git, upstream or None),
        dirty=bool(changed),
        changed=changed,
        untracked=untracked,
        why_not=why_not,
    )


def _with_patch(git: Git, root: Path, code: Code) -> Code:
    why_not = list(code.why_not)
    parts = []
    if code.commit is None:
        why_not.append("the repository has no commit yet")
    elif code.changed:
        try:
            parts.append(git.ask(*DIFF, limit_bytes=PATCH_BYTES))
        except GitError as error:
            why_not.append(f"the changes of tracked files are not kept: {error}")
    new: Untracked = read_untracked(root, code.untracked)
    parts.append(new.patch)
    why_not += [f"{shown(name)} is not kept: {reason}" for name, reason in new.left_out.items()]
    return replace(
        code,
        dirty=code.dirty or bool(new.stored or new.left_out),
        untracked=new.stored,
        left_out=new.left_out,
        why_not=why_not[:SHOWN],
        patch=b"".join(parts) or None,
    )


def _script_folder() -> Path | None:
    # a job of a sweep has no __main__ file, but the arguments of the command that started the sweep
    script = getattr(sys.modules.get("__main__"), "__file__", None) or next(iter(sys.argv), "")
    if not script or not Path(script).is_file():
        return None
    folder = Path(script).resolve().parent
    # an installed script is not code of the repository that its environment may lie in
    return None if {"site-packages", "dist-packages"} & set(folder.parts) else folder
