"""Plots of a run: learning curves, and what the predictions on the test split look like."""

from trainer.plots.drawing import draw as draw
