"""Questions to git: one process each, with a limit on its time and on its output."""

import contextlib
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracking.values.secrets import masked_text

# for all questions of one run's start, which must not wait for a repository on a lost network mount
TIMEOUT_S = 5.0
CONFIG_BYTES = 1 << 20
OPTIONS = (
    "--no-optional-locks",
    "--no-replace-objects",
    "--literal-pathspecs",
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.checkStat=default"),
    *("-c", "core.trustCtime=true"),
)

_CREDENTIALS = re.compile(r"(?P<scheme>https?|ftps?)://[^/@]*@")


class GitError(Exception):
    """git did not answer; the text says why."""


class Git:
    """Questions about one repository, all within one time limit."""

    def __init__(self, root: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self.root = root
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s

    def at(self, root: Path) -> "Git":
        """Return the same for another repository, within the same time limit."""
        other = Git(root, timeout_s=self._timeout_s)
        other._deadline = self._deadline
        return other

    def ask(self, *arguments: str, limit_bytes: int) -> bytes:
        """Return what git writes; raise GitError if it is missing, fails, or exceeds the time or `limit_bytes`."""
        import subprocess  # here, because it takes several milliseconds to load

        # of this folder alone, whatever its settings name as the work tree
        command = ["git", *OPTIONS, f"--work-tree={self.root}", *arguments]
        # the caller's variables may name another repository or index: git sets them for its hooks
        own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment = {
            **own,
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            # a damaged repository is not answered for by one around it
            "GIT_CEILING_DIRECTORIES": str(self.root.parent),
        }
        try:
            process = subprocess.Popen(  # noqa: S603 - a fixed command, looked up as the user's shell does
                command,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that its filters and hooks can be killed with it
            )
        except OSError:
            raise GitError("git could not be started") from None
        with process:
            try:
                answer, errors = self._read([process.stdout, process.stderr], limit_bytes)
            except BaseException:
                _kill(process.pid)
                raise
        if process.returncode:
            lines = errors.decode(errors="replace").splitlines()
            said = masked_text(lines[0])[:200] if lines else f"exit code {process.returncode}"
            raise GitError(f"git refused: {said}")
        return answer

    def _read(self, pipes: Sequence[Any], limit_bytes: int) -> list[bytes]:
        import selectors

        parts: dict[Any, list[bytes]] = {pipe: [] for pipe in pipes}
        size = 0
        with selectors.DefaultSelector() as selector:
            for pipe in pipes:
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, self._deadline - time.monotonic()))
                if not ready:
                    raise GitError(f"git did not answer within {self._timeout_s:g} s")
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    parts[key.fileobj].append(data)
                    size += len(data)
                    if not data:
                        selector.unregister(key.fileobj)
                if size > limit_bytes:
                    raise GitError(f"git wrote more than {limit_bytes:,} bytes")
        return [b"".join(parts[pipe]) for pipe in pipes]


def find_root(folder: Path) -> Path | None:
    """Return the top folder of the repository that `folder` lies in, without starting git."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return None


def remote_url(git: Git, name: str | None) -> str | None:
    """Return the URL of the remote `name`, else of origin, else of any, without user and password."""
    try:
        answer = git.ask("config", "-z", "--get-regexp", r"^remote\..*\.url$", limit_bytes=CONFIG_BYTES)
    except GitError:  # also the answer that there is no remote
        return None
    urls: dict[str, str] = {}
    for entry in os.fsdecode(answer).split("\0"):
        key, _, url = entry.partition("\n")
        urls.setdefault(key.removeprefix("remote.").removesuffix(".url"), url)
    url = next(urls[each] for each in (name, "origin", *urls) if each in urls)
    return masked_text(_CREDENTIALS.sub(r"\g<scheme>://", url))


def _kill(pid: int) -> None:
    import signal

    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
