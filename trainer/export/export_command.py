"""The command that exports a trained model: `python -m trainer.export`, `podium export-model`."""

import sys
from collections.abc import Sequence

from trainer.predict import words
from trainer.predict.chosen import choose

KEYS = {
    "model": "the trained model",
    "output": "the file to write",
    "format": "pt2 or onnx",
    "rows": "a table of rows to compare on",
    "store": "the folder of runs and models",
    "allow": "packages of yours whose models may be loaded",
}
HELP = """Export a trained model as one file that other programs run.

  {command} model=NAME output=model.onnx

  {command} model=ctr_model@champion output=model.pt2
  {command} model=run_012 output=model.onnx rows=new.csv

The graph takes encoded rows, any number of them: `numeric`, float32 [N, F], and `categorical`, int64 [N, C]. It returns
`probability`, `probabilities` or `prediction`. Inside the file, JSON says how a table is read and encoded, the
classes and the threshold: in ONNX the metadata "podium", in .pt2 the extra file "podium.json".

Before the file is written, it is run on real rows and its predictions are compared with those of the model.

Keys:
  model=   a registered model (its champion), NAME@ALIAS or NAME@VERSION; a run id; a folder of a run or a version
  output=  the file to write; it is replaced at once, after the comparison
  format=  pt2 (torch.export) or onnx; default: as the suffix says
  rows=    a table of rows to compare on; default: the test rows of the run, read where the training read them
  store=   the folder of runs and models, as paths.experiments of the training; default experiments
  allow=   packages of yours whose models and loaders may be called, such as [my_models]
"""


def main(arguments: Sequence[str]) -> int:
    """Export a trained model to ONNX or torch.export.

    Return an exit code: 0, 1 after an error, 2 for a wrong call, 130 after Ctrl-C.
    """
    command = words.called("trainer.export", "export-model")
    return words.run(list(arguments), help_text=HELP.format(command=command), keys=KEYS, command=_export)


def _export(arguments: Sequence[str]) -> None:
    given = words.parsed(arguments, KEYS, ("model", "output"))
    chosen = choose(given["model"], given.get("store", "experiments"))
    predictor = chosen.load(words.listed(given.get("allow", "")))
    difference = predictor.export(given["output"], format=given.get("format"), rows=given.get("rows"))
    sys.stdout.write(
        f"{given['output']}: model {chosen.name}; its predictions differ from the model's by {difference:.2g} at most\n"
    )
