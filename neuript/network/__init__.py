"""The NeurIPT network: from channel positions and windows in volts to logits."""
