"""Engines: each starts nodes in the places of one kind of cluster and carries their messages; see `cluster.engine`."""
