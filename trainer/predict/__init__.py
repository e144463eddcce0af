"""Scores the rows of a file with a trained model: ``python -m trainer.predict``."""
