"""A Lightning project whose parts are named in configs."""
