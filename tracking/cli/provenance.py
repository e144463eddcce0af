"""What a run's folder remembers beside its numbers: code, environment, what it printed."""

import os
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError
from tracking.files import atomic
from tracking.paths import RunPaths

TAIL_BYTES = 64 << 10  # of what was printed that is looked at for its last lines


def read_optional(path: Path, damaged: list[CorruptFileError]) -> dict[str, Any]:
    """The object in a JSON file; empty when there is none, or when it is damaged, which is then noted."""
    try:
        return atomic.read_object(path)
    except FileNotFoundError:
        return {}
    except CorruptFileError as error:
        damaged.append(error)
        return {}


def artifacts(paths: RunPaths) -> list[str]:
    """The names of the files that were logged."""
    found = (path for path in paths.artifacts.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(paths.artifacts)) for path in found)


def printed(paths: RunPaths, count: int) -> list[str]:
    """The last lines that the run printed."""
    try:
        with paths.output.open("rb") as output:
            size = output.seek(0, os.SEEK_END)
            output.seek(max(0, size - TAIL_BYTES))
            text = output.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-count:] if count else []


def code_line(git: dict[str, Any]) -> str | None:
    """The code in a line: its commit, branch, and what else there was."""
    if not git:
        return None
    commit = git.get("commit")
    words = [str(commit)[:12] if commit else "no commit"]
    if git.get("branch"):
        words.append(f"on {git['branch']}")
    if git.get("dirty"):
        count = git.get("changed_count", len(git.get("changed") or ())) + len(git.get("untracked") or ())
        what = f"{count} changed file{'s' if count != 1 else ''}" if count else "changes"
        words.append(f"with {what}")
    return " ".join(words)


def environment_lines(env: dict[str, Any]) -> dict[str, str]:
    """The environment by headline, what is not known left out."""
    gpus = [str(gpu.get("name") or "GPU") for gpu in env.get("gpus") or () if isinstance(gpu, dict)]
    command = env.get("argv") or env.get("command")
    lines = {
        "Command": " ".join(map(str, command)) if isinstance(command, list) else command,
        "Working folder": env.get("cwd"),
        "Host": env.get("host"),
        "Python": env.get("python"),
        "Platform": env.get("platform"),
        "GPUs": ", ".join(gpus),
        "Seeds": ", ".join(f"{name}={seed}" for name, seed in (env.get("seeds") or {}).items()),
        "Packages": f"{len(env['packages'])}" if env.get("packages") else None,
    }
    return {name: str(line) for name, line in lines.items() if line}
