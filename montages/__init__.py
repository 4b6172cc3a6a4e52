"""Electrode layouts: names, positions, lobes, bipolar derivations, and matching them to a stream."""
