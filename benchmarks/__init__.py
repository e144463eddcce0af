"""The speed of the tracker and the sweeps, measured beside their peers and beside the least the machine could do."""
