"""The command that makes a run again and compares: rerun."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import InvalidValueError, TrackingError
from tracking.process.signals import Terminated
from tracking.rerun import MetricDifference, RerunResult
from tracking.values.units import format_clock, parse_duration

FAILED = 2  # 1 says that the run differs


def rerun(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    *,
    seeds: Annotated[
        int,
        typer.Option("--seeds", metavar="K", help="So many further runs with other seeds, for the noise."),
    ] = 0,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="The metric to judge noise by.")
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="Run the present code, where it is.")] = False,
    repository: Annotated[
        Path | None, typer.Option("--repository", metavar="DIR", help="Where the code's repository is now.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="For each run, such as 30m.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder with the checked-out code.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Make a run again from what it remembers, and compare.

    Its commit and changes in a folder of their own, its command, config and seeds. Exit code 0 if all points are equal or
    within the noise of other seeds, 1 if not, 2 if the run cannot be made again.

    Example: python -m tracking rerun run_001 --seeds 5
    """
    from tracking.rerun.again import rerun as make_again

    try:
        result = make_again(
            run_id,
            store,
            seeds=seeds,
            metric=metric,
            here=here,
            repository=repository,
            keep_folder=keep,
            timeout_s=None if timeout is None else parse_duration(timeout),
            say=_say_step,
        )
    except InvalidValueError:
        raise
    except (TrackingError, OSError) as error:
        output.say(f"rerun: {error}", file=sys.stderr)
        return FAILED
    except Terminated as ended:  # which has no other way through the command line
        return int(str(ended.code))
    if as_json:
        output.say_json({**result.to_json(), "is_reproduced": result.is_reproduced})
    else:
        say_result(result)
    return 0 if result.is_reproduced else 1


def say_result(result: RerunResult) -> None:
    """Write a result: its sentence, the metrics that differ, and what differs around them."""
    output.title(f"{result.run_id}: {result.verdict.value.replace('_', ' ')}")
    output.say(f"{result.sentence}.")
    if result.metrics:
        output.say("\nMetrics that differ:")
        titles = ["metric", "then", "now", "from step", "at most by", "points then", "now"]
        tables.say_rows(titles, [_row(each) for each in result.metrics], keep=3)
    if result.noise is not None:
        rows = list(zip(result.noise.runs, result.noise.seeds, result.noise.values, strict=True))
        is_repeated = all(seed is None for seed in result.noise.seeds)
        output.say(f"\n{'Repetitions' if is_repeated else 'Runs with other seeds'}:")
        tables.say_rows(["run", "seed", result.noise.metric], [list(row) for row in rows])
    changes = {name: f"{_shown(pair[1])}, was {_shown(pair[0])}" for name, pair in result.environment.items()}
    output.say_facts(changes, "Environment")
    _say_lines("Code", result.code)
    _say_lines("Recorded values that the code composes differently now", result.config)
    _say_lines("Not compared, because they measure time", result.not_compared)
    took = {"New run": result.new_run, "Took": format_clock(result.took_s)}
    output.say_facts(took, "This time")


def _row(each: MetricDifference) -> list[Any]:
    return [each.metric, each.first, each.again, each.at_step, each.distance, *each.points]


def _shown(value: Any) -> str:
    return "missing" if value is None else str(value)


def _say_lines(headline: str, lines: tuple[str, ...]) -> None:
    if lines:
        output.say(f"\n{headline}:")
        for line in lines:
            output.say(f"  {line}")


def _say_step(text: str) -> None:
    output.say(text, file=sys.stderr)
