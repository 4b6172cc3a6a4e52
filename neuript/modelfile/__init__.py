"""Model files: what they say of themselves, how they are written, checked, trusted and run."""
