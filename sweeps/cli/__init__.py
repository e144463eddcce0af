"""The command line `python -m sweeps`."""
