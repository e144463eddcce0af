"""Data sets: from a file or a generator to three splits of tensors, all statistics from training rows."""
