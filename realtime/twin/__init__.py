"""The digital twin: an amplifier with simulated, physiologically plausible EEG."""
