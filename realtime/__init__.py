"""Streaming: LSL in, causal chain, windows, decisions out.

The inner ring (`ring`, `filters`, `preprocess`, `windowing`, `timestamps`, `policy`) is arithmetic without clock,
thread or network; `decoder` is one `step()`; `inlet`, `outlet` and `worker` touch the world.
"""
