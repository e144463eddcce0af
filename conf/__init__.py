"""Hydra configs of the trainer, one folder per choice; a package so that an installed podium finds them."""
