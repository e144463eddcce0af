"""The program of a run, out of what env.json and overrides.yaml remember of it.

A job of a sweep ran in a process that the sweep had made. It is made again as a single run of the same program.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tracking.errors import RerunError
from tracking.values.secrets import MASK

_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")  # options of Python whose value may be the next word
_HYDRA_VALUED = ("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--package", "-p")
_HYDRA_FLAGS = ("--multirun", "-m", "--run", "-r")
_OF_SWEEPS = re.compile(r"[+~]*hydra[./](sweeper|launcher|sweep|mode)\b")
_OF_HYDRA = re.compile(r"[+~]*hydra[./@]")


@dataclass(frozen=True)
class Program:
    """What to start: a `script`, a `module` or a text of `code`, with options of the interpreter and its arguments."""

    options: tuple[str, ...] = ()
    script: str | None = None
    module: str | None = None
    code: str | None = None
    arguments: tuple[str, ...] = ()

    def command(self, interpreter: str) -> list[str]:
        """Return the command line."""
        if self.code is not None:
            what = ["-c", self.code]
        else:
            what = ["-m", self.module] if self.module is not None else [str(self.script)]
        return [interpreter, *self.options, *what, *self.arguments]

    def shown(self) -> str:
        """Return the command as a person would write it."""
        code = "..." if self.code is not None else None
        return " ".join(replace(self, code=code, options=()).command("python"))


def program_of(env: Mapping[str, Any], overrides: Sequence[str], *, is_job: bool) -> Program:
    """Return the program of a run; raise RerunError for one that no command starts.

    `overrides` are those of the run, which take the place of a sweep's where `is_job`.
    """
    command, argv = _words(env.get("command")), _words(env.get("argv"))
    if not command or not argv:
        raise RerunError("the run does not know its command: its env.json is missing or holds none")
    size = str((env.get("env") or {}).get("WORLD_SIZE", "1"))
    if size.isdigit() and int(size) > 1:
        raise RerunError(f"the run was one of {size} processes that a launcher started together")
    found = _of_command(command)
    if is_job or found is None or (found.code is not None and argv[0] != "-c"):
        found = _of_argv(argv, env)
    if "ipykernel" in str(found.module or found.script):
        raise RerunError("the program of the run is in no file: it is a notebook")
    return replace(found, arguments=_of_job(found.arguments, overrides)) if is_job else found


def _of_command(command: list[str]) -> Program | None:
    at = 1
    while at < len(command):
        word = command[at]
        options = tuple(command[1:at])
        rest = tuple(command[at + 1 :])
        if word in ("-c", "-m"):
            if not rest:
                return None
            kind = "code" if word == "-c" else "module"
            return Program(options, **{kind: rest[0]}, arguments=rest[1:])
        if word == "-" or not word.startswith("-"):
            return None if word == "-" else Program(options, script=word, arguments=rest)
        at += 2 if word in _WITH_VALUE else 1
    return None  # an interactive session


def _of_argv(argv: list[str], env: Mapping[str, Any]) -> Program:
    """Return the program of a process that another one prepared: its module, if it knows that, else its script."""
    arguments = tuple(argv[1:])
    module = env.get("module")
    is_named = isinstance(module, str) and module not in ("", "__main__")
    # a worker of a launcher has the module of the worker and the arguments of the program
    if is_named and str(module).rpartition(".")[2] == Path(argv[0]).stem:
        return Program(module=str(module).removesuffix(".__main__"), arguments=arguments)
    script = argv[0]
    if script in ("", "-", "-c", "-m"):
        raise RerunError("the program of the run is in no file: it was typed or piped")
    path = Path(script)
    if path.name == "__main__.py":  # of a version that does not record the module
        folder = os.path.relpath(path.parent, str(env.get("cwd") or path.parents[1]))
        inside = not folder.startswith("..") and folder != "."
        return Program(
            module=folder.replace(os.sep, ".") if inside else path.parent.name, arguments=arguments
        )
    return Program(script=script, arguments=arguments)


def _of_job(words: Sequence[str], overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments of one job of a sweep: its own overrides, and what else was said to Hydra."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        name, has_value, _ = word.partition("=")
        if name in _HYDRA_VALUED:
            kept.append(word)
            if not has_value:
                kept.extend([value for value in [next(rest, None)] if value is not None])
        elif word in _HYDRA_FLAGS or _OF_SWEEPS.match(word):
            continue
        elif _OF_HYDRA.match(word):
            kept.append(word)
    return (*kept, *overrides, "hydra.mode=RUN")


def with_secrets(words: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return arguments with their masked values taken from variables, such as DB_PASSWORD for `db.password=***`.

    Raise RerunError with the names of those that are missing.
    """
    given, missing = [], []
    before = ""
    for word in words:
        name, _, value = word.rpartition("=") if "=" in word else (before, "", word)
        variable = re.sub(r"\W+", "_", name.strip("-+~")).upper()
        if MASK not in value:
            given.append(word)
        elif value == MASK and variable in environ:
            given.append(f"{word.removesuffix(MASK)}{environ[variable]}")
        else:
            missing.append(f"{word!r} (variable {variable})" if value == MASK and variable else repr(word))
        before = word if word.startswith("--") and "=" not in word else ""
    if missing:
        raise RerunError(
            f"the run's command hides a secret, which has to be given again: {', '.join(missing)}"
        )
    return tuple(given)


def with_seed(words: Sequence[str], seed: int) -> tuple[str, ...] | None:
    """Return arguments with another seed, `--seed 1`, `--seed=1` or `seed=1`; None if they name none."""
    changed = list(words)
    found = False
    for at, word in enumerate(changed):
        if re.fullmatch(r"(--?)?((random|global)[-_])?seed=-?\d+", word):
            changed[at], found = f"{word.partition('=')[0]}={seed}", True
        elif re.fullmatch(r"--?((random|global)[-_])?seed -?\d+", " ".join(changed[at : at + 2])):
            changed[at + 1], found = str(seed), True
    return tuple(changed) if found else None


def _words(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
