"""report.html and report.md of a sweep, from the modules of the dashboard."""
