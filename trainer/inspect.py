"""``python -m trainer.inspect``: show what a table holds, and how training would use it, without training.

Composes the config of `python -m trainer` and reads its `data` section, so what is shown is what a run finds. Loads no
torch.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAM = "podium inspect" if "PODIUM_TRAINER_COMMAND" in os.environ else "python -m trainer.inspect"
_NAMES = 40  # columns that are named in a message
HELP = """\
Show the columns of a table, what each is used for and why, the target and its classes, the splits, and what you might
not expect. Nothing is trained and nothing is written.

  %(prog)s data=csv data.path=clicks.csv data.target=clicked
  %(prog)s clicks.csv data.target=clicked                    the same
  %(prog)s clicks.csv                                        which columns could be the target
  %(prog)s clicks.csv data.target=clicked 'data.drop=[id]'   leave a column out
  %(prog)s data=adult data.path=FOLDER                       another data set
  %(prog)s clicks.csv data.target=clicked --json | jq .splits
"""
AFTERWARDS = "The keys of data.* are those of python -m trainer; `python -m trainer --cfg job -p data data=csv` lists them."


def main(arguments: Sequence[str] | None = None) -> int:
    """Show what a table holds, without training; return an exit code: 1 after an error, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=HELP,
        epilog=AFTERWARDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [FILE] [KEY=VALUE ...] [--json]",
    )
    parser.add_argument(
        "words", nargs="*", metavar="KEY=VALUE", help="a file, or keys of the config, such as data.target=y"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object with everything that was found")
    parser.add_argument("--config-dir", metavar="DIR", help="a folder with configs of your own")
    given = parser.parse_intermixed_args(arguments)
    from hydra_plugins.podium.packages import load_own

    load_own("tracking")  # the current folder may hold a module of that name
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from tracking import TrackingError
    from trainer.app import explain
    from trainer.errors import TrainerError

    try:
        _show(_overrides(given.words), given.config_dir, as_json=given.json)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of the output, such as head, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (TrainerError, TrackingError, HydraException, OmegaConfBaseException) as error:
        sys.stderr.write(f"error: {explain(error)}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _overrides(words: Sequence[str]) -> list[str]:
    """Return overrides of the config; a word without a key is the file of data=csv."""
    overrides = []
    for word in words:
        if "=" in word or word.startswith("~"):
            overrides.append(word)
        else:
            escaped = word.replace("\\", "\\\\").replace("'", "\\'")
            overrides += ["data=csv", f"data.path='{escaped}'"]
    return overrides


def _show(overrides: Sequence[str], config_dir: str | None, *, as_json: bool) -> None:
    from omegaconf import OmegaConf

    from trainer.config import check

    cfg = _composed(overrides, config_dir)
    if OmegaConf.is_missing(cfg.data, "target") and not OmegaConf.is_missing(cfg.data, "path"):
        _ask_for_target(cfg)
    check(cfg)
    from trainer.data.inspection import Inspection
    from trainer.data.profile import terminal_width
    from trainer.schema import named_task

    section: Any = OmegaConf.to_container(cfg.data, resolve=True)
    found = Inspection.of(section, task=named_task(cfg.task))
    text = json.dumps(_plain(found.to_json()), indent=1) if as_json else found.text(terminal_width())
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _composed(overrides: Sequence[str], config_dir: str | None) -> Any:
    from hydra import compose, initialize_config_dir

    from trainer.app import CONF

    own = [] if config_dir is None else [f"hydra.searchpath=['file://{Path(config_dir).absolute()}']"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=[*overrides, *own])


def _ask_for_target(cfg: Any) -> None:
    """Raise ConfigError that lists the columns, one of which is the target."""
    from omegaconf import OmegaConf

    from trainer.data.check import names_of
    from trainer.data.reading.header import shown
    from trainer.errors import ConfigError

    section: Any = OmegaConf.to_container(cfg.data, resolve=False)
    names = [*map(shown, names_of(section))]
    listed = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    which = f"set data.target=COLUMN to one of {listed}" if names else "set data.target=COLUMN"
    raise ConfigError(f"data.target is missing, the column to predict: {which}")


def _plain(value: Any) -> Any:
    """Return values for JSON, which has no NaN and no infinities."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not (abs(value) < float("inf")):
        return str(value)
    return value


if __name__ == "__main__":
    sys.exit(main())
