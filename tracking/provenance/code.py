"""The code of a run: its commit, and one patch with everything else that it ran with.

`git checkout COMMIT && git apply git.patch` restores the code: the patch has the changes of tracked files, and the
source files that git does not track as additions. Where that is not all of the code, git.json says so.
"""

import functools
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tracking.provenance.git import Git, GitError, find_root, remote_url
from tracking.provenance.untracked import Untracked, read_untracked

FORMAT = 1
STATUS_BYTES = 4 << 20
PATCH_BYTES = 1 << 20  # of changes of tracked files; new files have a limit of their own
SHOWN = 100  # names of files in git.json

STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=normal", "-z")
DIFF = (
    "diff",
    "--binary",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-relative",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "HEAD",
)


@dataclass(frozen=True)
class Code:
    """The content of git.json, and the patch: None without changes, or if they could not be read."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    remote: str | None = None
    root: str | None = None
    folder: str | None = None
    changed: list[str] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
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
    """Return the code of this process, read once at the first call, because that is what was imported.

    The repository is that of the working folder, else that of the script.
    """
    try:
        here = Path.cwd()
    except OSError:  # deleted under the process
        return Code(why_not=["the working folder no longer exists"])
    return _code(here, _script_folder())


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
        status = git.ask(*STATUS, limit_bytes=STATUS_BYTES)
    except GitError as error:
        return replace(code, why_not=[str(error)])
    return _with_patch(git, root, _parsed(code, git, status))


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
                why_not.append(f"{_shown(fields[-1])} has a merge conflict")
            if fields[2].startswith("S") and ("M" in fields[2] or "U" in fields[2]):
                why_not.append(f"the submodule {_shown(fields[-1])} has changes of its own")
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
    why_not += [f"{_shown(name)} is not kept: {reason}" for name, reason in new.left_out.items()]
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


def _shown(name: str) -> str:
    return repr(name) if not name.isprintable() else name
