"""From raw samples to windows: arithmetic alone, no clock, no thread, no network."""
