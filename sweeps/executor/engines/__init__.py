"""What starts nodes: processes of this machine, or the workers of a cluster."""
