"""How fast the tracker is, measured beside its peers and beside the least the machine could do."""
