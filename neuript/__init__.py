"""neuript: real-time EEG decoding over Lab Streaming Layer with the NeurIPT transformer.

Importing this package is cheap: PyTorch, MNE and Qt are loaded by the modules that need them.
"""

__version__ = "0.1.0"
