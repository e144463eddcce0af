"""The web server of the dashboard: guarded, read-only, for this machine."""
