"""The Hydra application: composes a config, checks it and trains.

Only the task loads torch, so the parent of a sweep, ``--help`` and a refused config do not wait for it.
"""

import contextlib
import os
import re
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from hydra.utils import to_absolute_path
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.podium.versions import call_main, current_defaults, unsupported
from tracking import TrackingError
from trainer.config import check, suggest
from trainer.errors import ConfigError, TrainerError, did_you_mean
from trainer.overrides import refused, swept

ADDED = ("+experiment=", "+debug=", "+local=")  # groups that the config has, with nothing chosen
CONF = (
    Path(__file__).resolve().parents[1] / "conf"
)  # by its path, because a user's folder may have the same name
OPEN_SECTIONS = (  # whose keys are names of measures and columns
    "promotion.rules.not_worse",
    "promotion.rules.slices",
    "promotion.rules.thresholds",
)
PATHS = ("paths.experiments", "data.path", "data.test_path")


def run(cfg: DictConfig) -> float | None:
    """Check one composed config, train it, and return the objective, if it has one."""
    if HydraConfig.get().job.chdir:
        _anchor(cfg)
    try:
        if cfg.sweep.dry_run and HydraConfig.get().mode == RunMode.RUN:
            raise ConfigError("sweep.dry_run=true: is for sweeps; add -m, or leave it out to train")
        plain = check(cfg)
    except ConfigError:
        _remove_output_folder()
        raise
    from trainer.task import train  # loads torch

    return train(cfg, plain)


def main() -> None:
    """Run the command ``python -m trainer``: one run, or with ``-m`` a sweep.

    Exits with 0, with 1 after an error, with 2 for wrong usage, and with 130 after Ctrl-C. Errors of the
    trainer, the config and the file system are one message (HYDRA_FULL_ERROR=1 shows the traceback); any
    other error shows its traceback.
    """
    if message := unsupported():
        sys.exit(f"error: {message}")
    # Hydra prints errors with advice that does not fit here; with this setting it raises them.
    chosen = os.environ.get("HYDRA_FULL_ERROR")
    # Apps that do not list such a group need the +, so it is often typed; Hydra would refuse it here.
    sys.argv[1:] = [word.removeprefix("+") if word.startswith(ADDED) else word for word in sys.argv[1:]]
    sys.argv[1:] = ["task=default" if word == "task=null" else word for word in sys.argv[1:]]
    for group in (word.removesuffix("=null") for word in sys.argv[1:] if word.endswith("=null")):
        if (CONF / group).is_dir():  # Hydra ends in a stack trace
            _print_error(f"error: {group}=null: a group takes the name of a choice; ~{group} leaves it out\n")
            sys.exit(1)
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        call_main(hydra.main(config_path=str(CONF), config_name="config", **current_defaults())(run))
    except KeyboardInterrupt:
        sys.exit(130)  # as shells report Ctrl-C
    except BrokenPipeError:  # the reader of the output, such as head, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (TrainerError, TrackingError, HydraException, OmegaConfBaseException, OSError) as error:
        if chosen == "1":
            raise
        _print_error(f"error: {explain(error)}\n")
        # A sweep that a signal stopped has an exit code of its own.
        sys.exit(getattr(error, "exit_code", 1))


def _print_error(text: str) -> None:
    """Write to stderr, unless that is a terminal that was closed."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _remove_output_folder() -> None:
    """Remove what Hydra wrote for a single run that was refused: copies of the config and an empty log."""
    hydra_config = HydraConfig.get()
    if hydra_config.mode != RunMode.RUN or hydra_config.output_subdir is None:
        return
    folder = Path(hydra_config.runtime.output_dir)
    copies = folder / hydra_config.output_subdir
    log = folder / f"{hydra_config.job.name}.log"
    with contextlib.suppress(OSError):
        for name in ("config.yaml", "hydra.yaml", "overrides.yaml"):
            (copies / name).unlink(missing_ok=True)
        copies.rmdir()
        if log.exists() and log.stat().st_size == 0:
            log.unlink()
        folder.rmdir()


def _anchor(cfg: DictConfig) -> None:
    """Resolve relative paths against the folder of the command, before Hydra changed it."""
    for key in PATHS:
        path = OmegaConf.select(cfg, key)
        if path is not None:
            OmegaConf.update(cfg, key, to_absolute_path(str(path)))


def explain(error: BaseException) -> str:
    """Return the message of an error: what was given, why it was refused, and what is allowed."""
    cause = error.__cause__
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return f"{error}; if that is in the store, choose a paths.experiments that can be written"
    if isinstance(error, OverrideParseException) and (said := refused(error.override)):
        return said
    lines = [str(error).strip()]
    ambiguous = r"(?:Ambiguous value for argument|Sweep parameters) '(.*?)'( requires --multirun)?\n"
    if sweep := re.match(ambiguous, lines[0] + "\n", re.DOTALL):
        return swept(sweep[1])
    if lines[0].startswith("Multiple values for ") or lines[0].endswith("in the final defaults list"):
        # Hydra's advice fits a config file, not a command line.
        lines.append("On the command line, leave out the + before it: the config has this group already")
    if unknown := _unknown(lines[0], cause):
        return unknown
    if isinstance(cause, OmegaConfBaseException):
        lines += [
            line
            for line in str(cause).splitlines()
            if not line.lstrip().startswith(("object_type=", "reference_type="))
        ]
        lines += _allowed_keys(cause)
    elif isinstance(cause, Exception) and str(cause) and str(cause) not in lines[0]:
        lines.append(str(cause).strip())
    return "\n".join(lines)


def _unknown(text: str, cause: BaseException | None) -> str | None:
    """Return one line about a key or a choice of a group that does not exist; None for other errors."""
    if choice := re.search(
        r"Could not find '(\w+)/(\S+)'\s+Available options in '\w+':(.*?)(?:\n\S|$)", text, re.DOTALL
    ):
        group, name, known = choice[1], choice[2], choice[3].split()
        left_out = "; left out, the target says which" if group == "task" else ""
        return f"{group}={name}: there is no such choice{did_you_mean(name, known)}; allowed are {', '.join(known)}{left_out}"
    added = re.match(r"Could not override '(\S+)'\.\s+To append to your config use \+(.*?)(?:\n|$)", text)
    if added is None or not isinstance(cause, OmegaConfBaseException):
        return None
    section, dot, name = added[1].rpartition(".")
    parent = cause.parent_node
    keys = tuple(map(str, parent)) if isinstance(parent, DictConfig) else ()
    _, _, value = added[2].partition("=")
    if isinstance(parent, DictConfig) and keys and (place := parent._get_full_key(None)) in OPEN_SECTIONS:
        is_one = added[1] == f"{place}.{cause.key}"
        return (
            f"{added[2]}: {place} has no {cause.key} yet, only {', '.join(keys)}; add it with "
            f"'+{place}.{cause.key}={value if is_one else '...'}'"
        )
    if isinstance(parent, DictConfig) and section and not keys:
        return (
            f"{added[2]}: {section} has no keys yet; add this one with '+{added[2]}', or give all at once as "
            f"'{section}={{{name}: {value}}}'"
        )
    if not (near := suggest(name, keys, section + dot)):
        return None
    return "; ".join(
        [f"{added[2]}: there is no key {added[1]}{near}", *(each.lower() for each in _allowed_keys(cause))]
    )


def _allowed_keys(cause: OmegaConfBaseException) -> list[str]:
    parent = cause.parent_node
    if not isinstance(parent, DictConfig) or cause.key is None or cause.key in parent:
        return []
    section = parent._get_full_key(None)
    names = ", ".join(sorted(str(key) for key in parent if key != "hydra"))
    return [f"Allowed {f'in {section}' if section else 'here'}: {names}"]
