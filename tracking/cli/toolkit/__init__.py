"""What both command lines are made of: entry, options, tables, JSON."""
