"""Scripts of users as they are written by hand: write one, run it alone or as a sweep, read what its jobs printed."""

import json
import subprocess
import sys
from pathlib import Path

import forked

from hydra_plugins.podium.versions import current_defaults

CONFIG = "x: 0\nhydra: {output_subdir: null, job_logging: {root: {handlers: []}}}\n"
LAUNCH = ("-m", "hydra/sweeper=podium", "hydra/launcher=podium", "x=1,2")
DEFAULTS = "".join(f", {name}={value!r}" for name, value in current_defaults().items())
MAIN = f'@hydra.main(config_path={{folder!r}}, config_name="config"{DEFAULTS})\ndef main(cfg):\n'
GUARDED = 'if __name__ == "__main__":\n'


def write_app(
    folder: Path, *, top: str = "", task: str = "    pass\n", start: str = f"{GUARDED}    main()\n"
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(CONFIG)
    script = folder / "app.py"
    script.write_text(
        f"import hydra\n{top}\n{MAIN.format(folder=str(folder))}{task}\n    return 1.0\n{start}"
    )
    return script


def call(folder: Path, *command: str, **options: object) -> str:
    """Run a command in an interpreter of its own; return what it prints."""
    answer = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        stdin=options.pop("stdin", subprocess.DEVNULL),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
    return _output(answer)


def sweep(folder: Path, *words: str, **options: object) -> str:
    """Sweep the app with words of its own, where what matters is its jobs and not its interpreter; return what it prints."""
    return _output(forked.run("app.py", *words, kind="lenient", cwd=folder, **options))


def _output(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "could not preload" not in answer.stderr
    return answer.stdout


def logs(folder: Path) -> list[str]:
    (sweep,) = (folder / "experiments" / "sweeps").iterdir()
    return [(sweep / "jobs" / str(job) / "output.log").read_text() for job in (0, 1)]


def events(folder: Path) -> list[dict]:
    (ledger,) = folder.glob("experiments/sweeps/*/jobs.jsonl")
    return [json.loads(line) for line in ledger.read_text().splitlines()]
