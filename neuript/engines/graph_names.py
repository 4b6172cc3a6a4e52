"""Names in the network's ONNX graph: the input (1, n_chans, n_times) in volts, and the outputs.

`ANSWER` are the logits, or the covariances of a network whose logarithms are taken beside it (`neuript.engines.split`).
"""

from __future__ import annotations

SIGNAL, ANSWER, ROUTERS = "signal", "answer", "routers"
