"""What was asked for: the sections ``hydra.sweeper`` and ``hydra.launcher`` as checked values."""
