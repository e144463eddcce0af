"""What a run's folder holds besides metrics, read for `show` and `diff`: code, environment, artifacts, output."""

import os
from pathlib import Path
from typing import Any

from tracking.cli.toolkit import output
from tracking.errors import CorruptFileError
from tracking.files import atomic
from tracking.paths import RunPaths
from tracking.values.units import counted

TAIL_BYTES = 64 << 10  # of the output that is read for its last lines


def read_optional(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one if there is no file, or if it is damaged, with a warning."""
    try:
        return atomic.read_object(path)
    except FileNotFoundError:
        return {}
    except CorruptFileError as error:
        output.report([error])
        return {}


def artifacts(paths: RunPaths) -> list[str]:
    """Return the names of the logged files."""
    found = (path for path in paths.artifacts.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(paths.artifacts)) for path in found)


def printed(paths: RunPaths, count: int) -> list[str]:
    """Return the last lines of the output."""
    try:
        with paths.output.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - TAIL_BYTES))
            text = stream.read().decode(errors="replace")  # the cut may be inside a character
    except FileNotFoundError:
        return []
    return text.splitlines()[-count:] if count else []


def code_line(git: dict[str, Any]) -> str | None:
    """Return the code in a line: its commit, its branch, its changes."""
    if not git:
        return None
    commit = git.get("commit")
    words = [str(commit)[:12] if commit else "no commit"]
    if git.get("branch"):
        words.append(f"on {git['branch']}")
    if git.get("dirty"):
        count = git.get("changed_count", len(git.get("changed") or ())) + len(git.get("untracked") or ())
        what = counted(count, "changed file") if count else "changes"
        words.append(f"with {what}")
    return " ".join(words)


def environment_lines(env: dict[str, Any]) -> dict[str, str]:
    """Return the known facts of the environment, by headline."""
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
