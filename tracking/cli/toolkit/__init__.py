"""The parts that `python -m tracking` and `python -m sweeps` share: entry, options, text, tables, JSON."""
