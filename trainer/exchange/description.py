"""What an exported model says of itself: how a table becomes its input, and what its output means. Needs no torch.

    session = onnxruntime.InferenceSession("model.onnx")
    description = Description.from_text(session.get_modelmeta().custom_metadata_map["podium"])
    (chances,) = session.run(None, description.inputs("new.csv"))

In a .pt2 file it is the extra file "podium.json".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.data.adopted import as_trained, reader_for
from trainer.data.encode import Encoder
from trainer.data.reading.arrow import Array
from trainer.data.reading.reader import Reader
from trainer.data.target import Target, TaskKind
from trainer.errors import LoadError

KEY, FILE = "podium", "podium.json"  # of the metadata of ONNX, and in a .pt2 file
FORMAT = 1


@dataclass(frozen=True)
class Description:
    """The preprocessing of a model, its target, and the threshold of its labels."""

    encoder: Encoder
    target: Target
    threshold: float
    reader: Reader | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs of the graph; one without columns is left out."""
        there = {"numeric": self.encoder.numeric, "categorical": self.encoder.categorical}
        return tuple(name for name, columns in there.items() if columns)

    @property
    def output(self) -> str:
        """The name of the output of the graph."""
        kind = self.target.task
        return {TaskKind.BINARY: "probability", TaskKind.MULTICLASS: "probabilities"}.get(kind, "prediction")

    def inputs(self, table: Any) -> dict[str, Array]:
        """Return a table as the inputs of the graph, float32 [N, F] and int64 [N, C]; it may be what `predict` takes."""
        reader = self.reader or reader_for(self.encoder, table)
        read = reader.read(table, only=self.encoder.names)
        numeric, categorical = self.encoder.arrays(
            as_trained(self.encoder, read) if self.reader is None else read
        )
        return {
            name: values
            for name, values in (("numeric", numeric), ("categorical", categorical))
            if name in self.names
        }

    def to_text(self) -> str:
        """Return it as JSON."""
        features = [{"column": each.name, "features": each.width} for each in self.encoder.features]
        codes = [{"column": each.name, "codes": each.cardinality} for each in self.encoder.categorical]
        return json.dumps(
            {
                "format": FORMAT,
                "inputs": {name: {"numeric": features, "categorical": codes}[name] for name in self.names},
                "output": self.output,
                "threshold": self.threshold,
                "target": self.target.to_json(),
                "encoder": self.encoder.to_json(),
                "reader": None if self.reader is None else self.reader.to_json(),
            }
        )

    @classmethod
    def from_text(cls, text: str | bytes) -> "Description":
        """Return what `to_text` wrote; raise LoadError for anything else."""
        try:
            value: Mapping[str, Any] = json.loads(text)
            reader = value["reader"]
            return cls(
                Encoder.from_json(value["encoder"]),
                Target.from_json(value["target"]),
                value["threshold"],
                None if reader is None else Reader.from_json(reader),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise LoadError(f"this is no description of an exported model: {error!r}") from error
