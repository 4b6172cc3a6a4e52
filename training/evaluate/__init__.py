"""Downstream evaluation: protocols, metrics, baselines and tables."""
