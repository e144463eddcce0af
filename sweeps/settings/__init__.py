"""The settings of the sweeper and the launcher as checked values."""
