"""The command line `python -m tracking`: the same calls as the Python API, shown as tables or as JSON."""
