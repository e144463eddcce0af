"""The plug-in classes that Hydra looks for below ``hydra_plugins``. They call the package ``sweeps``."""
