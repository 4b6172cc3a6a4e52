"""The Lab Streaming Layer: the only folder that knows pylsl."""
