"""Labelled windows from recordings, cut by the live causal chain."""
