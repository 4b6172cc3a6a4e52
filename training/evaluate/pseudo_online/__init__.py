"""Whole recordings through the live decoder: what was commanded, when, and how often at rest."""
