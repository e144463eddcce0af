"""Values: which may be kept, and how they are written as text. Nothing here opens a file."""
