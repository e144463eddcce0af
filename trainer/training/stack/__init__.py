"""Trains one epoch of several models of one architecture in one process, with forward and backward passes written out."""
