"""The command that scores the rows of a file: `python -m trainer.predict`, `podium predict`."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.predict import words
from trainer.predict.words import UsageError

if TYPE_CHECKING:
    from trainer.data.reading.reader import How

KEYS = {
    "model": "the trained model",
    "input": "the table of rows to score",
    "output": "the file to write",
    "store": "the folder of runs and models",
    "threshold": "the probability from which on a row is labelled positive",
    "bad_rows": "error or missing",
    "columns": "the columns of the input to keep",
    "member": "the file of a zip archive",
    "sheet": "the sheet of a workbook",
    "encoding": "the encoding of a text",
    "skip": "lines before the header",
    "batch_size": "rows in memory at a time",
    "allow": "packages of yours whose models may be loaded",
}
HELP = """Score the rows of a file with a trained model.

  {command} model=NAME input=new.csv output=scores.csv

  {command} model=ctr_model@champion input=new.csv output=scores.parquet
  {command} model=run_012 input=new.xlsx | head
  {command} model=churn@3 input=new.csv.gz output=scores.csv threshold=0.3 columns=[customer]

The output has the columns of the input as they stand and, beside them, for two classes `probability` of the positive
one and `label`; for several `probability_CLASS` for each and `label`; for a regression `prediction`. Where the input
has a column of that name, the new one is `predicted_label` and so on. The input is read as the training read its table:
columns are found by name, others are kept and not used, and the target may be missing.

Keys:
  model=      a registered model (its champion), NAME@ALIAS or NAME@VERSION; a run id; a folder of a run or a version
  input=      CSV, TSV, Parquet, Arrow or Excel, also compressed
  output=     a .csv, .tsv, .parquet, .feather, .arrow or .xlsx, also .gz, .bz2, .xz, .zst or .zip; - or nothing: CSV on
              the standard output. It is replaced when all rows are scored; after an error nothing is written.
  store=      the folder of runs and models, as paths.experiments of the training; default experiments
  threshold=  label as positive from this probability on; default the model's, chosen on validation rows by the training
  bad_rows=   error (default): values that their column cannot hold are named by row; missing: they are taken as missing
  columns=    the columns of the input to keep, such as [id,day]; [] keeps none; default all
  member=     which file of a zip archive; default: the one that the training read, or the only table
  sheet=      which sheet of a workbook, by name or number; default: the one that the training read, or the first
  encoding=   of a text file, such as latin-1; default: found
  skip=       lines before the header; default: found
  batch_size= rows in memory at a time, a multiple of 4096; default: as many as fit well; the scores do not depend on it
  allow=      packages of yours whose models may be loaded, such as [my_models]

  --json      describe what was written as JSON on the standard output
"""


def main(arguments: Sequence[str]) -> int:
    """Score the rows of a file with a trained model.

    Return an exit code: 0, 1 after an error, 2 for a wrong call, 130 after Ctrl-C.
    """
    command = words.called("trainer.predict", "predict")
    return words.run(list(arguments), help_text=HELP.format(command=command), keys=KEYS, command=_score)


def _score(arguments: Sequence[str]) -> None:
    as_json = "--json" in arguments
    given = words.parsed([each for each in arguments if each != "--json"], KEYS, ("model", "input"))
    output = None if given.get("output", "-") in ("", "-") else Path(given["output"])
    if as_json and output is None:
        raise UsageError("--json: the scores go to the standard output; name a file with output=")
    bad_rows = given.get("bad_rows", "error")
    if bad_rows not in ("error", "missing"):
        raise UsageError(f"bad_rows={bad_rows}: allowed are error and missing")
    threshold = given.get("threshold")
    from trainer.predict.scored_file import EVALUATION_ROWS, Request, score_file

    request = Request(
        model=given["model"],
        source=Path(given["input"]),
        output=output,
        store=given.get("store", "experiments"),
        threshold=None
        if threshold is None
        else words.number("threshold", threshold, wanted="a number from 0 to 1", low=0, high=1),
        bad_rows=bad_rows,
        columns=words.listed(given["columns"]) if "columns" in given else None,
        rows=_rows(given.get("batch_size"), EVALUATION_ROWS),
        allow=words.listed(given.get("allow", "")),
        how=_how(given),
    )
    found = score_file(request)
    for line in found.notes:
        sys.stderr.write(f"warning: {line}\n")
    if as_json:
        sys.stdout.write(json.dumps(found.to_json(), indent=1) + "\n")
    elif output is not None:
        sys.stdout.write(f"{found.text()}\n")


def _how(given: Mapping[str, str]) -> "How":
    """Return what is said of how the input is written."""
    how: How = {}
    if "member" in given:
        how["member"] = given["member"]
    if "sheet" in given:
        sheet = given["sheet"]
        how["sheet"] = int(sheet) if sheet.isascii() and sheet.isdecimal() else sheet
    if "encoding" in given:
        how["encoding"] = given["encoding"]
    if "skip" in given:
        skip = words.number("skip", given["skip"], wanted="a number of lines", low=0, high=1e9)
        how["skip"] = int(skip)
    return how


def _rows(batch_size: str | None, unit: int) -> int | None:
    if batch_size is None:
        return None
    rows = int(words.number("batch_size", batch_size, wanted=f"a multiple of {unit}", low=1, high=1e9))
    if rows % unit:
        raise UsageError(
            f"batch_size={batch_size}: allowed are multiples of {unit}, the rows that a model takes at a time; "
            f"the next is {rows + -rows % unit}"
        )
    return rows
