"""Names in the network's ONNX graph: the input (1, n_chans, n_times) in volts, and the outputs."""

from __future__ import annotations

SIGNAL, LOGITS, ROUTERS = "signal", "logits", "routers"
