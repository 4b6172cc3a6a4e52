"""Weights of our own runs, shipped with the package; each has a model card beside it."""
