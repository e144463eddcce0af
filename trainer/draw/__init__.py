"""Draws the plots of runs: ``python -m trainer.draw``."""
