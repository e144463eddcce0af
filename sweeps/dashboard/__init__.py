"""The store and its sweeps in a browser, and the report of a sweep, made from the same pages."""
