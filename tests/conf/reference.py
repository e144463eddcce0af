"""The page of all keys, docs/trainer-keys.md, made from the files in conf/ and their comments.

`python tests/conf/reference.py` writes it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "trainer-keys.md"
OPENING = """\
# Every key of the trainer's config

The files in `conf/` with their defaults. A key is set as `key=value` on the command line, a file of a group is chosen as
`group=name`, and `python -m trainer --cfg job` shows the config of a command line. `python tests/conf/reference.py` writes
this page.

"""
GROUPS = (
    "task",
    "data",
    "model",
    "training",
    "loss",
    "optimizer",
    "scheduler",
    "objective",
    "sweep",
    "tracking",
    "promotion",
    "paths",
)
UNSAID = {  # what the files do not say, because the name does
    "_target_": "the class or function that gets the other keys",
    "dataset": "the name of the data; runs are listed under it",
    "names": "names of the columns, in the place of those in the file",
    "numeric": "columns to use as numbers",
    "categorical": "columns to use as categories",
    "target": "the column to predict",
    "val_fraction": "share of the rows for validation",
    "test_fraction": "share of the rows for testing",
    "min_frequency": "rarer categories share one code with those never seen",
    "rows": "how many rows to draw",
    "numeric_columns": "how many columns of numbers",
    "categorical_columns": "how many columns of categories",
    "cross_layers": "how many cross layers",
    "hidden_dims": "the width of each layer",
    "dropout": "share of the activations that a training step leaves out",
    "attention_dropout": "share of the attention weights that a training step leaves out",
    "blocks": "how many blocks",
    "heads": "attention heads",
    "width": "width of a block",
    "learning_rate": "the learning rate of the optimizer, as its scheduler begins",
    "weight_decay": "the weight decay of the optimizer",
    "betas": "decay of both running means",
    "eps": "added to the denominator",
    "momentum": "share of the last step in the next",
    "nesterov": "whether the momentum is Nesterov's",
    "eta_min": "the lowest learning rate",
    "metric": "the metric that is ranked by",
    "at": "best: the best epoch counts, and is the checkpoint; last: the last epoch",
    "description": "a text of the run",
}
LINE = re.compile(r"^(?P<indent> *)\"?(?P<key>\w+)\"?: ?(?P<value>.*?)(?: +# (?P<what>.*))?$")


def page() -> str:
    """Return the page: a table per choice of a group, with key, default, and what it does."""
    parts = [rows_of("", ROOT / "conf" / "config.yaml", only=("seed", "device", "metrics", "threshold"))]
    for group in GROUPS:
        for file in sorted((ROOT / "conf" / group).glob("*.yaml")):
            if "@package _global_" not in file.read_text() or group == "sweep":
                parts.append(rows_of("" if group == "sweep" else f"{group}.", file))
    return OPENING + "\n".join(parts)


def rows_of(prefix: str, file: Path, *, only: tuple[str, ...] = ()) -> str:
    """Return the table of one file."""
    rows = [
        f"| `{key}` | `{value}` | {what or UNSAID.get(key.rpartition('.')[2], '')} |".replace("``", "")
        for key, value, what in entries(file)
        if not only or key in only
    ]
    rows = [row.replace("| `", f"| `{prefix}", 1) for row in rows]
    title = "the root" if only else "sweep" if not prefix else f"{file.parent.name}={file.stem}"
    table = f"## `{title}`\n\n| key | default | what it does |\n|---|---|---|\n" + "".join(
        f"{row}\n" for row in rows
    )
    others = [f"[`{file.parent.name}={base}`](#{file.parent.name}{base})" for base in bases(file)]
    return table + (f"\nThe other keys are those of {' and '.join(others)}.\n" if others else "")


def bases(file: Path) -> list[str]:
    """Return the files of the same group that a file takes its other keys from."""
    listed = re.search(r"^defaults:\n((?:  - .*\n)+)", file.read_text(), re.MULTILINE)
    names = re.findall(r"^  - (\w+)$", listed[1], re.MULTILINE) if listed else []
    return [name for name in names if name != "_self_" and (file.parent / f"{name}.yaml").exists()]


def entries(file: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the keys of a file with their values and comments; keys of a section by dotted names."""
    above: list[tuple[int, str]] = []
    for line in file.read_text().splitlines():
        if line.startswith("hydra:"):
            return
        found = LINE.match(line)
        if found is None or line.lstrip().startswith(("#", "-")):
            continue
        indent, key = len(found["indent"]), found["key"]
        above = [each for each in above if each[0] < indent] + [(indent, key)]
        if found["value"] or found["what"]:
            dotted = ".".join(name for _, name in above).removeprefix(
                "sweep." if file.parent.name == "sweep" else ""
            )
            name = f"sweep.{dotted}" if file.parent.name == "sweep" else dotted
            if key != "defaults" and name != "sweep.sweep":
                value = "[...]" if found["value"] == "[" else found["value"]  # a list over several lines
                yield name, value.replace("|", "\\|"), (found["what"] or "").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
