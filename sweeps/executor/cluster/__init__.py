"""The executor on many machines: a node on each runs jobs as `local` does, and the sweep's process serves them all."""
