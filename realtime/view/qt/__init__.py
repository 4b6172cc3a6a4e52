"""The window of `neuript view`."""
