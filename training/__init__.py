"""Learning: epochs from recordings through the live causal chain, calibration, baselines."""
