"""A sweep as plain data for pages."""
