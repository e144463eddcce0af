"""What the gate that promotes models asks of a trained one: `score`, its predictions for rows that decide."""

from trainer.promotion.scorer import score as score
