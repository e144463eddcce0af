"""Exports a trained model: ``python -m trainer.export``."""
