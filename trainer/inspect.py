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
HELP = """\
Show the columns of a table, what each is used for and why, the target and its classes, the splits, and what you might
not expect. Nothing is trained and nothing is written.

  %(prog)s data=csv data.path=clicks.csv data.target=clicked
  %(prog)s clicks.csv data.target=clicked                    the same
  %(prog)s clicks.csv                                        its columns alone, before you know what to predict
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
    from trainer.overrides import quoted

    overrides = []
    for word in words:
        if "=" in word or word.startswith("~"):
            overrides.append(word)
        else:
            overrides += ["data=csv", f"data.path={quoted(word)}"]
    return overrides


def _show(overrides: Sequence[str], config_dir: str | None, *, as_json: bool) -> None:
    from omegaconf import OmegaConf

    from trainer.config import check
    from trainer.errors import DataError
    from trainer.schema import TABLE, named_task

    cfg = _composed(overrides, config_dir)
    section: Any = OmegaConf.to_container(cfg.data, resolve=True)
    if section["_target_"] == TABLE and section["target"] == "???" != section["path"]:
        found = _without_target(cfg, section)
    else:
        check(cfg)
        from trainer.data.inspection import Inspection

        found = Inspection.of(section, task=named_task(cfg.task))
    from trainer.data.profile import terminal_width

    text = json.dumps(_plain(found.to_json()), indent=1) if as_json else found.text(terminal_width())
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    if found.refused:
        raise DataError(found.refused)


def _without_target(cfg: Any, section: dict[str, Any]) -> Any:
    """Return what a table holds, of which the user may not know yet what to predict; raise ConfigError for other problems."""
    from omegaconf import OmegaConf

    from trainer.config import problems
    from trainer.errors import ConfigError

    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    if found := [each for each in problems(plain) if not each.startswith("data.target is missing")]:
        raise ConfigError("\n".join(found))
    from trainer.data.inspection import Columns

    return Columns.of(section)


def _composed(overrides: Sequence[str], config_dir: str | None) -> Any:
    from hydra import compose, initialize_config_dir

    from hydra_plugins.podium.versions import current_defaults
    from trainer.app import CONF

    own = [] if config_dir is None else [f"hydra.searchpath=['file://{Path(config_dir).absolute()}']"]
    with initialize_config_dir(str(CONF), **current_defaults()):
        return compose("config", overrides=[*overrides, *own])


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
