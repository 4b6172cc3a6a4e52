"""Fitting networks and plain decoders to labelled windows, and scoring them."""
