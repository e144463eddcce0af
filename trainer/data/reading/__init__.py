"""Reads tables: bytes and foreign tables in, columns of canonical values out; knows no targets, splits, tensors."""
