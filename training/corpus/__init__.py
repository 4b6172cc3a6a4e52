"""Recordings to shards: scan, clean, reject, write, and read back."""
