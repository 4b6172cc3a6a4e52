"""The report of a calibration: what was measured on held-out trials, as one page for people and as JSON."""
