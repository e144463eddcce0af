"""Data sets: loaders, splits, and the encoding of columns as tensors."""
