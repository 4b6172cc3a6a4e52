"""Recordings of any known format: read, checked, looked at, and played as a source of chunks."""
