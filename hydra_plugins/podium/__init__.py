"""The shells that Hydra looks for under ``hydra_plugins``; the work is done in the ``sweeps`` package."""
