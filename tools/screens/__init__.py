"""The screens of neuript, each drawn by its own widgets on real data: what `tools/screenshots.py` takes pictures of."""
