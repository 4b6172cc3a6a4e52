"""A decoder for one person: recordings in, a model file out."""
