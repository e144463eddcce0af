"""What the gate asks of a trained model by hand is what a sweep asks."""

from tracking.gate.earlier import SCORERS
from trainer.defaults import THRESHOLDS
from trainer.promotion import score


def test_the_gate_knows_the_trainers_scorer_and_thresholds() -> None:
    scorer, thresholds = SCORERS["trainer:load_model"]
    module, _, name = scorer.rpartition(".")
    assert (module, name) == ("trainer.promotion", score.__name__)
    assert all(thresholds[metric] == bound for each in THRESHOLDS.values() for metric, bound in each.items())
