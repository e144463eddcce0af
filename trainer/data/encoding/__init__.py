"""Encodings of columns, each fitted on the training rows; and encoded rows in files."""
